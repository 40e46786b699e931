"""Observes an application whose workers are stopped, plans a reset, performs it: the deliberate way out of ER-25.

Every step can be repeated: a reset that died in the middle is run again. Brokers take changes of offsets only while the group
has no member, so a worker that starts in the middle ends the reset and not the other way round.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NoReturn

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from processors.engine.admin import AdminClient, OffsetSpec
from processors.engine.broker_errors import BrokerErrors
from processors.engine.contact import first_contact
from processors.engine.described import Topic, describe_group, describe_topics
from processors.engine.group import committed_offsets, delete_group, set_offsets
from processors.engine.lanes import Place
from processors.engine.marks import PATIENCE, read_marks
from processors.engine.permissions import Permission, grant
from processors.engine.reset_plan import Plan, Step, begin_again, follow_changelog, read_again
from processors.engine.settings import Clients, EngineSettings, make_client
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.storehouse import delete_store, stores_of
from processors.engine.topics import create_topics, wanted_topics
from processors.engine.triage import error_of

EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]

_TIMEOUT = 30.0
_HAS_MEMBERS = (KafkaError.NON_EMPTY_GROUP, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS)


class Reset:
    """One reset of one application."""

    def __init__(self, settings: EngineSettings, partitions: int, replication: int | None) -> None:
        """Connect.

        Args:
            settings: Names group, topics and stores.
            partitions: Of topics that are made anew, as configured.
            replication: Of topics that are made anew, as configured.

        Raises:
            Stop: The brokers do not answer, or the group has members.
        """
        self._settings = settings
        self._clients = Clients(settings)
        self._errors = BrokerErrors(settings.kafka, settings.application, self._clients.transactional_id)
        self._admin = make_client(AdminClient, self._clients.admin() | self._errors.options())
        self._group = settings.application
        self._wanted = wanted_topics(settings.topics, partitions)
        self._replication = replication
        first_contact(self._admin, self._errors, settings.connect_within)
        try:
            members = describe_group(self._admin, self._group).members
        except KafkaException as why:
            self._refuse(why, "the group cannot be looked at", Permission("READ", "group", self._group))
        if members:
            raise self._occupied(", ".join(member.words for member in members))

    def to_changelog(self, definitions: str, patience: float = PATIENCE) -> Plan:
        """Plan to set the group's offsets of facts to what the changelog's marks say.

        Args:
            definitions: Digest of those at hand.
            patience: Seconds without progress in the changelog after which it is given up.
        """
        names = self._settings.topics
        topics = self._described((names.facts, names.changelog))
        partitions, of_changelog = (len(topics[name].partitions) for name in (names.facts, names.changelog))
        reader = self._clients.reader() | self._errors.options()
        try:
            marks = read_marks(self._admin, reader, names.changelog, of_changelog, patience)
        except KafkaException as why:
            self._refuse(why, f"{names.changelog} cannot be read", Permission("READ", "topic", names.changelog))
        first = self._offsets([(names.facts, number) for number in range(partitions)], EARLIEST)
        begins = {number: offset for (_, number), offset in first.items()}
        return follow_changelog(names, partitions, marks, self._committed(), begins, topics[names.facts].id, definitions)

    def to_sources(self, topics: Sequence[str], since: int | None) -> Plan:
        """Plan to read source topics again, from their beginning or from the first record of a time.

        Args:
            topics: Of the sources.
            since: Milliseconds since the epoch; None: their beginning.
        """
        described = self._described(topics)
        places = [(topic, each.number) for topic, found in described.items() for each in found.partitions]
        targets = self._offsets(places, EARLIEST if since is None else OffsetSpec.for_timestamp(since))
        return read_again({place: offset for place, offset in targets.items() if offset >= 0}, self._committed())

    def to_nothing(self, *, outputs: bool) -> Plan:
        """Plan to begin from nothing; `outputs`: with the published topics."""
        names = self._settings.topics
        # Sums that were made of the old state would stand beside the new ones in their topic for ever.
        published = [name for name in names if name not in (names.facts, names.changelog)] if outputs else [names.metrics]
        described = describe_topics(self._admin, names)
        there = {name: len(found.partitions) for name, found in described.items() if not found.absent}
        wanted = {topic.name: topic.partitions for topic in self._wanted}
        stores = [str(store) for store in stores_of(self._settings.store_path.parent)]
        return begin_again(self._group, there, wanted, [*published, names.facts, names.changelog], stores, outputs=outputs)

    def perform(self, plan: Plan) -> Iterator[Step]:
        """Do what was planned; every step is given out once it is done.

        Raises:
            Stop: A step could not be done; what was done stays, and the same reset can be run again.
        """
        for action, steps in groupby(plan.steps, lambda step: step.action):
            together = [*steps]
            if action == "set offset":
                self._set_offsets(together)
            elif action == "delete group":
                self._delete_group()
            elif action == "delete topic":
                self._delete_topics([step.subject for step in together])
            elif action == "delete store":
                for step in together:
                    delete_store(Path(step.subject))
            else:
                made = {step.subject for step in together}
                create_topics(self._admin, [topic for topic in self._wanted if topic.name in made], self._replication)
            yield from together

    def _set_offsets(self, steps: Sequence[Step]) -> None:
        offsets = {(step.subject, step.partition or 0): step.after or 0 for step in steps}
        try:
            set_offsets(self._admin, self._group, offsets)
        except KafkaException as why:
            self._refuse(why, "the offsets cannot be set", Permission("READ", "group", self._group))

    def _delete_group(self) -> None:
        try:
            delete_group(self._admin, self._group)
        except KafkaException as why:
            self._refuse(why, "the group cannot be deleted", Permission("DELETE", "group", self._group))

    def _delete_topics(self, names: Sequence[str]) -> None:
        for name, future in self._admin.delete_topics([*names], operation_timeout=_TIMEOUT).items():
            try:
                future.result(_TIMEOUT)
            except KafkaException as why:
                if error_of(why).code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    self._refuse(why, f"topic {name} cannot be deleted", Permission("DELETE", "topic", name))
        deadline = time.monotonic() + _TIMEOUT
        while still := {*names} & {*self._admin.list_topics(timeout=_TIMEOUT).topics}:
            if time.monotonic() > deadline:
                raise Stop(ENVIRONMENT, f"the brokers have not deleted {', '.join(sorted(still))} yet: run this again in a while")
            time.sleep(0.1)

    def _described(self, names: Sequence[str]) -> dict[str, Topic]:
        described = describe_topics(self._admin, names)
        if lacking := [name for name, found in described.items() if found.error is not None]:
            raise Stop(
                ENVIRONMENT,
                f"{', '.join(lacking)} cannot be described: see what is missing with `funnelstream check --config FILE`",
            )
        return described

    def _committed(self) -> dict[Place, int]:
        try:
            return committed_offsets(self._admin, self._group)
        except KafkaException as why:
            self._refuse(why, "the group's offsets cannot be read", Permission("READ", "group", self._group))

    def _offsets(self, places: Sequence[Place], spec: OffsetSpec) -> dict[Place, int]:
        """Offsets of partitions; -1 where no record is as late as was asked for."""
        asked = {TopicPartition(*place): spec for place in places}
        try:
            futures = self._admin.list_offsets(asked, request_timeout=_TIMEOUT)
            return {(place.topic, place.partition): future.result(_TIMEOUT).offset for place, future in futures.items()}
        except KafkaException as why:
            raise Stop(ENVIRONMENT, f"the offsets of {places[0][0]} cannot be read: {error_of(why).str()}") from why

    def _refuse(self, why: KafkaException, what: str, permission: Permission) -> NoReturn:
        error = error_of(why)
        if error.code() in _HAS_MEMBERS:
            raise self._occupied("one that joined just now") from why
        if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            command = grant(permission, self._settings.kafka)
            raise Stop(ENVIRONMENT, f"{what}: {permission.words} is not granted: {command}, then run this again") from why
        raise Stop(ENVIRONMENT, f"{what}: {error.str()}; check the brokers, then run this again") from why

    def _occupied(self, members: str) -> Stop:
        return Stop(
            ENVIRONMENT,
            f"the group {self._group} has members: {members}. Stop its workers; one that was stopped or killed counts until its "
            "session ends (session.timeout.ms, 45 s unless configured). Then run this again.",
        )
