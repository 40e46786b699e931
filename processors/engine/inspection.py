"""An installation looked at as a whole, for `check`: brokers, certificates, topics, replicas, permissions, definitions.

Everything is looked at even when something fails; what cannot be asked because of it is `unknown`. Nothing is changed, with one
exception that is said: the permission on the transactional id shows only by taking it up, as a starting worker does. That would
end a running worker of the instance, so it is not done while the group has such a member, which has proven it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from processors.engine.admin import AdminClient
from processors.engine.broker_errors import BrokerErrors
from processors.engine.certificates import certificate_findings
from processors.engine.contact import first_contact
from processors.engine.definition_change import change
from processors.engine.described import Member, Topic, answered, describe_group, describe_topics
from processors.engine.findings import Finding
from processors.engine.group import commits
from processors.engine.last_marks import last_marks
from processors.engine.mark import BEGIN_AGAIN, Mark
from processors.engine.membership import with_others
from processors.engine.permissions import Permission, grant, needed, principal
from processors.engine.preflight import (
    equal_partitions,
    permission_finding,
    presence,
    setting_findings,
    topic_permissions,
)
from processors.engine.replicas import health_findings, replication_findings
from processors.engine.settings import Clients, EngineSettings, make_client
from processors.engine.starts import into_other_facts
from processors.engine.stop import Stop
from processors.engine.tls import uses_tls
from processors.engine.topics import WantedTopic, read_config, replicas_wanted, wanted_topics
from processors.engine.triage import Verdict, error_of, triage
from processors.topology.definition_digests import Definitions
from schemas.application import OwnTopics
from schemas.instants import SECOND

_REACHED_WITHIN = 5.0
"""Seconds for which brokers that do not answer are tried."""
_SLICE = 2.0
_ADMINISTRATION = frozenset({"ALTER", "CLUSTER_ACTION"})
"""Operations on the cluster that only an administrator has, or everybody where there is no authorizer."""
_SHOWN = ("cleanup.policy", "message.timestamp.type", "min.insync.replicas")


class Inspection:
    """One look at an installation; `findings` once."""

    def __init__(self, settings: EngineSettings, partitions: int, replication: int | None, definitions: Definitions) -> None:
        """Prepare; nothing is asked yet.

        Args:
            settings: Of the worker that is to run.
            partitions: Of our own topics, as configured.
            replication: Of our own topics, as configured; None: three, or as many as there are brokers.
            definitions: Of the worker that is to run.

        Raises:
            Stop: The settings contradict each other.
        """
        self._settings = settings
        self._definitions = definitions
        self._clients = Clients(settings)
        self._errors = BrokerErrors(settings.kafka, settings.application, self._clients.transactional_id)
        self._permissions = needed(settings, self._clients.transactional_id)
        self._partitions = partitions
        self._replication = replication
        self._brokers = 0
        self._described: dict[str, Topic] = {}
        self._members: Sequence[Member] = ()

    def findings(self) -> Iterator[Finding]:
        """Look at everything, what others depend on first."""
        settings = self._settings
        yield from certificate_findings(settings.kafka)
        yield _credentials(settings.kafka)
        try:
            self._admin = make_client(AdminClient, self._clients.admin() | self._errors.options())
            first_contact(self._admin, self._errors, _REACHED_WITHIN)
        except Stop as stop:
            mend = "start the brokers, or correct `kafka` in the configuration"
            yield Finding("brokers", str(settings.kafka.get("bootstrap.servers")), "missing", stop.sentence, mend)
            for area in ("topic", "permission", "definitions"):
                yield Finding(area, "all", "unknown", "cannot be asked for without brokers")
            return
        yield from _asked("brokers", self._cluster())
        yield from _asked("topic", self._all_topics())
        yield from _asked("permission", self._group())
        yield from topic_permissions(settings, self._permissions, self._described)
        yield from _asked("definitions", self._state())

    def _state(self) -> Iterator[Finding]:
        """Whether the definitions may go on with the state that is there, and whether others are at work on it."""
        names, area = self._settings.topics, "definitions"
        changelog = self._described.get(names.changelog)
        if changelog is None or changelog.error is not None:
            yield Finding(area, "state", "unknown", f"cannot be looked at without {names.changelog}")
            return
        reader = make_client(Consumer, self._clients.reader() | self._errors.options())
        try:
            marks = last_marks(reader, names.changelog, len(changelog.partitions), _REACHED_WITHIN, lambda: None)
        except Stop as stop:
            yield Finding(area, "state", "unknown", f"cannot be looked at: {stop.sentence}")
            return
        facts = self._described[names.facts]
        yield from of_other_facts(names, facts, marks) if marks else self._read_into_other_facts(facts)
        places = {f"{names.facts} partition {number}": mark for number, mark in marks.items()}
        found = change(places, self._definitions, round(time.time() * SECOND))
        yield from found or [Finding(area, "state", "ok", "was written by these definitions" if marks else "is not there yet")]
        if others := with_others(self._members, self._definitions.digest):
            mend = "stop all workers before one is started with these files"
            says = f"has members with other definitions: {', '.join(member.words for member in others)}"
            yield Finding(area, f"group {self._settings.application}", "warning", says, mend)

    def _read_into_other_facts(self, facts: Topic) -> Iterator[Finding]:
        """Where state is gone, what was read may still say that it became facts elsewhere: both were made anew (ER-25)."""
        group = self._settings.application
        try:
            read = commits(self._admin, group)
        except KafkaException as why:
            if error_of(why).code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # which was said among the permissions
                raise
            return
        if facts.error is None and any(into_other_facts(each, facts.id) for each in read):
            yield _made_anew(self._settings.topics.facts, f"the group {group} read its sources")

    def _cluster(self) -> Iterator[Finding]:
        """The nodes, and whether the brokers ask for permissions at all."""
        found = answered(
            lambda: self._admin.describe_cluster(include_authorized_operations=True, request_timeout=_REACHED_WITHIN)
        )
        self._brokers = len(found.nodes)
        nodes = ", ".join(f"{node.id} at {node.host}:{node.port}" for node in sorted(found.nodes, key=lambda node: node.id))
        controller = "" if found.controller is None else f"; controller {found.controller.id}"
        servers = str(self._settings.kafka.get("bootstrap.servers"))
        yield Finding("brokers", servers, "ok", f"answer as cluster {found.cluster_id}: {nodes}{controller}")
        allowed = {operation.name for operation in found.authorized_operations or ()}
        if allowed >= _ADMINISTRATION:
            yield Finding(
                "permission", "authorizer", "ok", "is not there, or this user is an administrator: everything is permitted"
            )
        else:
            yield Finding("permission", "authorizer", "ok", "is there: every permission is looked at")

    def _all_topics(self) -> Iterator[Finding]:
        """Every topic with its settings, and how it differs from what is wanted."""
        described = self._described = describe_topics(self._admin, [*self._settings.topics, *self._settings.source_topics])
        yield from presence(self._settings, self._settings.topics, described)
        yield from equal_partitions(self._settings, described)
        wanted = wanted_topics(self._settings.topics, self._partitions)
        sources = [WantedTopic("source", name, 0, {}) for name in self._settings.source_topics]
        for topic in (*wanted, *sources):
            found = described[topic.name]
            if found.absent:
                continue
            if found.hidden:
                yield Finding("topic", f"topic {topic.name}", "unknown", "is not shown to this user, who has no permission on it")
                continue
            yield from self._topic(topic, found)

    def _topic(self, wanted: WantedTopic, topic: Topic) -> Iterator[Finding]:
        subject, config = f"topic {wanted.name}", self._config(wanted.name)
        replicas = min(len(each.replicas) for each in topic.partitions)
        shown = [f"{len(topic.partitions)} partitions", f"replication {replicas}"]
        shown += [f"{name}={config[name]}" for name in _SHOWN if config]
        yield Finding("topic", subject, "ok", f"has {', '.join(shown)}")
        if not config:
            mend = grant(Permission("DESCRIBE_CONFIGS", "topic", wanted.name), self._settings.kafka)
            yield Finding("topic", subject, "unknown", f"does not show this user its settings ({', '.join(_SHOWN)})", mend)
        in_sync = int(config["min.insync.replicas"]) if config else None
        yield from health_findings(wanted.name, topic, in_sync)
        if wanted.role == "source":
            return
        if len(topic.partitions) != wanted.partitions:
            mend = "write in topics.partitions what is there; those of facts and changelog can never be changed"
            yield Finding(
                "topic", subject, "warning", f"has {len(topic.partitions)} partitions, wanted {wanted.partitions}", mend
            )
        yield from replication_findings(wanted.name, topic, in_sync, replicas_wanted(self._brokers, self._replication))
        if config:
            yield from setting_findings(wanted, config)

    def _config(self, topic: str) -> dict[str, str]:
        """A topic's settings; empty when this user may not read them, which a worker does not need (ER-31)."""
        try:
            return read_config(self._admin, topic)
        except KafkaException as why:
            if error_of(why).code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise
            return {}

    def _group(self) -> Iterator[Finding]:
        """The permissions on transactional id and group."""
        kafka = self._settings.kafka
        [of_group] = [permission for permission in self._permissions if permission.resource == "group"]
        try:
            group = describe_group(self._admin, of_group.name)
        except KafkaException as why:
            if error_of(why).code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
                raise
            yield permission_finding(of_group, frozenset(), kafka)
            yield self._transactional_id(None)
            return
        self._members = group.members
        yield permission_finding(of_group, group.allowed, kafka)
        yield self._transactional_id([member for member in group.members if self._is_this_instance(member)])

    def _is_this_instance(self, member: Member) -> bool:
        """Static members carry the instance; those of the newer protocol are known by their client id (ER-2)."""
        if member.instance:
            return member.instance == self._settings.instance
        return member.client == self._clients.client_id

    def _transactional_id(self, running: list[Member] | None) -> Finding:
        """The permission to write under the instance's transactional id.

        Args:
            running: Members of the group that are this instance; None when the group may not be asked.
        """
        [permission] = [permission for permission in self._permissions if permission.resource == "transactional-id"]
        if running is None:
            says = "is not tried: it would end a running worker of this instance, which shows only with READ on the group"
            return Finding("permission", permission.words, "unknown", says)
        if running:
            says = f"is granted, as {running[0].words} has proven; it was left alone"
            return Finding("permission", permission.words, "ok", says)
        error = _taken_up(make_client(Producer, self._clients.producer() | self._errors.options()))
        if error is None:
            return Finding("permission", permission.words, "ok", "is granted: taken up for a moment, as a starting worker does")
        if triage(error) is Verdict.FORBIDDEN or error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return permission_finding(permission, frozenset(), self._settings.kafka)
        mend = "check the brokers' transaction coordinator, __transaction_state, then check again"
        return Finding("permission", permission.words, "missing", f"could not be tried ({error.str()})", mend)


def _asked(area: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings of an area; a question that the brokers do not answer ends it, and nothing else."""
    try:
        yield from findings
    except KafkaException as why:
        says = f"could not be asked for ({error_of(why).str()})"
        yield Finding(area, "the rest", "missing", says, "see the brokers' logs, then check again")


def _credentials(kafka: Mapping[str, object]) -> Finding:
    """Mechanism and user, never the secret (ER-32)."""
    protocol = str(kafka.get("security.protocol", "plaintext")).lower()
    if not protocol.startswith("sasl"):
        return Finding("credentials", principal(kafka), "ok", "is whom the brokers see: no SASL is configured")
    mechanism = kafka.get("sasl.mechanisms", kafka.get("sasl.mechanism", "GSSAPI"))
    if not uses_tls(kafka):
        mend = "use security.protocol SASL_SSL outside of a network that you trust"
        return Finding("credentials", principal(kafka), "warning", f"signs in by {mechanism} without encryption", mend)
    return Finding("credentials", principal(kafka), "ok", f"signs in by {mechanism}")


def _taken_up(producer: Producer) -> KafkaError | None:
    """Take the transactional id up (ER-23), in slices (ER-16); returns what keeps it from working."""
    deadline = time.monotonic() + _REACHED_WITHIN
    while True:
        try:
            producer.init_transactions(_SLICE)
            return None
        except KafkaException as raised:
            error = error_of(raised)
        if triage(error) is not Verdict.AGAIN or time.monotonic() > deadline:
            return error


def of_other_facts(names: OwnTopics, facts: Topic, marks: Mapping[int, Mark]) -> Iterator[Finding]:
    """State that was made of another facts topic than there is, or of one with other partitions (ER-3, ER-25)."""
    since = f"the state in {names.changelog} was written"
    if any(mark.of_another(facts.id) for mark in marks.values()):
        yield _made_anew(names.facts, since)
    counts = {mark.partitions for mark in marks.values()} - {len(facts.partitions)}
    if facts.partitions and counts:
        says = f"has {len(facts.partitions)} partitions, {since} with {', '.join(map(str, sorted(counts)))}"
        yield Finding("topic", f"topic {names.facts}", "missing", says, BEGIN_AGAIN)


def _made_anew(facts: str, since: str) -> Finding:
    return Finding("topic", f"topic {facts}", "missing", f"was deleted and made anew since {since}", BEGIN_AGAIN)
