"""`check` on real brokers: exactly what is missing, with the command that grants it, and no running worker is harmed (ER-31)."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AclOperation, NewTopic, ResourceType  # type: ignore[attr-defined]  # exported at run time

from processors.engine.findings import Finding, missing
from processors.engine.topics import read_config
from tests.command import funnelstream, run
from tests.kafka.application import PARTITIONS, Application
from tests.kafka.guarded import PASSWORD, Guarded
from tests.kafka.permissions import USER, grant_all, grants, revoke
from tests.kafka.processes import wait_until


@pytest.fixture
def permitted(guarded: Guarded, tmp_path: Path) -> Iterator[Application]:
    """An application whose worker has the least that it needs."""
    application = Application(guarded.bootstrap, tmp_path).create()
    grant_all(application.admin, grants(application).values())
    yield application
    application.close()


def checked(app: Application, kafka: dict[str, str], code: int = 0) -> dict[str, dict[str, str]]:
    """What the command printed, by subject."""
    said = funnelstream("check", "--config", app.config(**kafka), "--instance", "one", "--format", "json", code=code)
    return {finding["subject"]: finding for finding in json.loads(said)}


def test_er31_every_missing_permission_is_named_with_its_command_and_nothing_else(
    permitted: Application, guarded: Guarded
) -> None:
    kinds = {"TRANSACTIONAL_ID": "transactional-id", "GROUP": "group", "TOPIC": "topic"}
    kafka = guarded.scram()
    for what, grant in grants(permitted).items():
        revoke(permitted.admin, grant)
        resource, name, operation = grant
        command = (
            f"kafka-acls.sh --bootstrap-server {kafka['bootstrap.servers']} --add --allow-principal User:{USER} "
            f"--operation {operation.name} --{kinds[resource.name]} {name}"
        )
        wait_until(partial(_mends, permitted, kafka, [command]), f"nothing but {what} to be missing")
        grant_all(permitted.admin, [grant])
        wait_until(partial(_mends, permitted, kafka, []), f"{what} to be granted again")


def _mends(app: Application, kafka: dict[str, str], commands: list[str]) -> bool:
    return [finding.mend for finding in missing(app.findings(**kafka))] == commands


def test_er31_er32_the_least_is_enough_and_the_password_is_not_said(permitted: Application, guarded: Guarded) -> None:
    done = run("check", "--config", permitted.config(**guarded.scram()), "--instance", "one")
    assert done.returncode == 0, done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert f"WRITE on transactional id {permitted.name}:one is granted: taken up for a moment" in done.stdout
    assert "authorizer is there" in done.stdout
    assert f"User:{USER} signs in by SCRAM-SHA-512" in done.stdout
    assert "is trusted: TLSv1.3" in done.stdout
    assert "ok       definitions  state is not there yet" in done.stdout
    assert f"warning  permission   DELETE on topic {permitted.topics.facts}" in done.stdout


def test_er31_settings_that_this_user_may_not_read_are_unknown_and_not_ok(permitted: Application, guarded: Guarded) -> None:
    kafka, leads = guarded.scram(), permitted.topics.leads

    def unshown() -> dict[str, str]:
        found = permitted.findings(**kafka)
        return {finding.subject: finding.mend for finding in found if finding.area == "topic" and finding.state == "unknown"}

    unknown = unshown()
    assert unknown.keys() == {f"topic {name}" for name in (*permitted.topics, permitted.input)}
    assert unknown[f"topic {leads}"].endswith(f"--add --allow-principal User:{USER} --operation DESCRIBE_CONFIGS --topic {leads}")
    grant_all(permitted.admin, [(ResourceType.TOPIC, leads, AclOperation.DESCRIBE_CONFIGS)])
    wait_until(lambda: unknown.keys() - unshown().keys() == {f"topic {leads}"}, "the settings of leads to be shown")
    said = [finding.says for finding in permitted.findings(**kafka) if finding.subject == f"topic {leads}"]
    assert said[0].startswith(f"has {PARTITIONS} partitions, replication 1, cleanup.policy=compact")


def test_er31_the_command_that_grants_names_the_subject_of_a_client_certificate(permitted: Application, guarded: Guarded) -> None:
    """These brokers map it to a name of their own, which is not known here."""
    revoke(permitted.admin, grants(permitted)["input"])

    def lacking() -> Finding | None:
        return next((found for found in missing(permitted.findings(**guarded.mutual())) if permitted.input in found.mend), None)

    assert f"CN={USER}" in wait_until(lacking, "READ on the input to be missing").mend


def test_er16_er32_a_wrong_password_is_the_reason_and_is_not_said(permitted: Application, guarded: Guarded) -> None:
    done = run("check", "--config", permitted.config(**guarded.scram(password="not-the-password")))
    assert done.returncode == 3
    assert "correct sasl.username and sasl.password" in done.stdout
    assert "not-the-password" not in done.stdout + done.stderr


def test_er32_credentials_without_encryption_are_a_warning(permitted: Application, guarded: Guarded) -> None:
    kafka = guarded.scram() | guarded.address("OPEN") | {"security.protocol": "SASL_PLAINTEXT"}
    [found] = [finding for finding in permitted.findings(**kafka) if finding.area == "credentials"]
    assert (found.state, found.says) == ("warning", "signs in by SCRAM-SHA-512 without encryption")


@pytest.mark.parametrize(
    ("kafka", "said"),
    [
        ({"bootstrap.servers": "127.0.0.1:1"}, "Connection refused"),
        ({"security.protocol": "ssl"}, "does not shake hands over TLS"),
    ],
)
def test_er16_brokers_that_cannot_be_reached_are_said_with_the_reason_and_the_rest_is_unknown(
    app: Application, kafka: dict[str, str], said: str
) -> None:
    found = app.findings(**kafka)
    assert said in " ".join(finding.says for finding in found)
    assert {finding.area for finding in found if finding.state == "unknown"} == {"topic", "permission", "definitions"}
    assert all(finding.mend for finding in missing(found))


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_running_worker_of_the_instance_is_left_alone(app: Application, protocol: str) -> None:
    worker = app.worker(kafka={"group.protocol": protocol}).start().wait_ready()
    app.send_some(100)
    app.wait_exact()
    found = checked(app, {"group.protocol": protocol}, code=3)
    assert "it was left alone" in found[f"WRITE on transactional id {app.name}:one"]["says"]
    app.send_some(100)
    app.wait_exact()
    assert worker.running
    assert found["summing version 1"]["state"] == "missing", "the definitions of the command are not those of the worker"
    assert found[f"group {app.name}"]["says"].startswith("has members with other definitions: ")
    assert "authorizer" in found
    assert "everything is permitted" in found["authorizer"]["says"]


def policy_of(app: Application, topic: str) -> str | None:
    """Its cleanup.policy; None while the broker does not know a topic yet that was just made."""
    try:
        return read_config(app.admin, topic).get("cleanup.policy")
    except KafkaException:
        return None


def test_topics_are_held_against_what_is_wanted(app: Application) -> None:
    """What breaks is missing, what only differs is a warning, and both come with the mend."""
    topics = app.topics
    app.delete(topics.changelog, topics.leads, topics.metrics)
    wrong = {"cleanup.policy": "delete", "min.insync.replicas": "2"}
    new = [NewTopic(topics.changelog, PARTITIONS, 1, config=wrong), NewTopic(topics.metrics, 2, 1)]
    for future in app.admin.create_topics(new).values():
        future.result()
    wait_until(lambda: policy_of(app, topics.changelog) == "delete", "the settings of the new topic to be known")
    found = app.findings()
    said = {finding.sentence: finding.state for finding in found}

    def state_of(text: str) -> str:
        [state] = [state for sentence, state in said.items() if text in sentence]
        return state

    assert state_of(f"topic {topics.leads} does not exist: run `funnelstream topics create") == "missing"
    assert state_of(f"topic {topics.changelog} must have cleanup.policy=compact, not delete") == "missing"
    assert state_of(f"topic {topics.changelog} takes no writes: min.insync.replicas=2 is more than its 1 replicas") == "missing"
    assert state_of(f"topic {topics.metrics} has cleanup.policy=delete, wanted compact") == "warning"
    assert state_of(f"topic {topics.metrics} has 2 partitions, wanted {PARTITIONS}") == "warning"
    assert state_of(f"topic {topics.facts} has {PARTITIONS} partitions, replication 1, cleanup.policy=delete") == "ok"
    assert all(finding.mend for finding in found if finding.state in ("missing", "warning"))
    assert checked(app, {}, code=3)[f"topic {topics.leads}"]["state"] == "missing"
