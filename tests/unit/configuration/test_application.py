"""The configuration: every mistake with its place and mend, references to the outside, and secrets that never show."""

from pathlib import Path

import pytest

from schemas.kafka_settings import SECRETS
from tests.unit.configuration.marked import Marked, blocks, configuration, configured, unmarked

SECRET = "correct horse battery staple"
EXAMPLE = """
application: acme-funnels
definitions: funnels/
kafka: {bootstrap.servers: "${KAFKA_BOOTSTRAP_SERVERS:-localhost:9092}", sasl.password: "${PASSWORD}", linger.ms: 5}
topics: {prefix: funnel, partitions: "${PARTITIONS:-12}", facts: acme.facts}
state: {path: ./state}
identity:
  hash_key: "${file:key.txt}"
  namespaces:
    - {name: hubspot.contact, kind: lead, from: [crm]}
    - {name: user, kind: lead}
    - {name: email, kind: lead, normalise: email}
    - {name: anonymous, kind: visitor}
  ignore: ["", "null", undefined, anonymous, 00000000-0000-0000-0000-000000000000]
sources:
  web: {topics: [segment.events], format: segment, identifiers: {anonymousId: anonymous, userId: user, traits.email: email}}
  crm:
    topics: [crm.hubspot]
    format: hubspot
    identifiers: {contact.objectId: hubspot.contact}
    fields:
      deal.stage: {from: dealstage, values: {appointmentscheduled: lead_in, 12345: won}, unlisted: dead_letter}
      lead.icp_fit: {from: icp_fit, type: bool}
authority: {lead.status: [crm, web]}
limits: {record_bytes: 1MiB, future: 1d, past: 1990-01-01, batch_time: 100ms}
insights: {token: "${PASSWORD}"}
"""


@pytest.mark.parametrize("marked", blocks("application_mistakes.txt"))
def test_a_mistake_is_reported_where_it_is_with_its_mend(marked: Marked, tmp_path: Path) -> None:
    text, place = unmarked(marked.text if marked.whole else configuration(marked.text))
    _, found = configured(tmp_path, text)
    assert [(f"{problem.line}:{problem.column}", problem.key) for problem in found] == [(place, marked.key)], found
    assert marked.says in found[0].sentence
    assert str(found[0]).startswith(f"{tmp_path / 'application.yml'}:{place}: ")


def test_a_whole_configuration(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(f"{SECRET}\n")
    application, problems = configured(tmp_path, EXAMPLE, {"PASSWORD": SECRET, "PARTITIONS": "3"})
    assert problems == []
    assert application is not None
    assert application.kafka["bootstrap.servers"] == "localhost:9092"
    assert (application.kafka["linger.ms"], application.kafka["sasl.password"]) == ("5", SECRET)
    assert application.topics.partitions == 3
    assert (application.own_topics.facts, application.own_topics.changelog) == ("acme.facts", "acme-funnels-changelog")
    assert application.own_topics.dead_letters == "funnel.dead-letters.v1"
    assert application.sources["crm"].fields["deal.stage"].values == {"appointmentscheduled": "lead_in", "12345": "won"}
    assert application.identity.hash_key is not None
    assert application.identity.hash_key.get_secret_value() == SECRET


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    application, _ = configured(tmp_path, configuration(""))
    assert application is not None
    assert (Path(application.definitions), Path(application.state.path)) == (tmp_path / "d", tmp_path / "state")


def test_secrets_never_show(tmp_path: Path) -> None:
    """ER-32: not in a representation, not when the configuration is printed, and not in what is said of a mistake."""
    (tmp_path / "key.txt").write_text(SECRET)
    application, _ = configured(tmp_path, EXAMPLE, {"PASSWORD": SECRET})
    assert application is not None
    assert SECRET not in f"{application!r} {application.masked()}"
    assert application.masked()["kafka"]["sasl.password"] == application.masked()["insights"]["token"] == "***"
    wrong = configuration("log: {level: '${PASSWORD}'}\nhttp: {listen: 'x${PASSWORD}'}\nkafka: {group.protocol: '${PASSWORD}'}\n")
    _, problems = configured(tmp_path, wrong, {"PASSWORD": SECRET * 5})
    assert len(problems) == 4
    assert SECRET[:12] not in " ".join(map(str, problems))


def test_of_kafka_settings_every_secret_is_masked_and_nothing_an_operator_must_see(tmp_path: Path) -> None:
    """ER-32: a misspelt name holds a secret all the same, and a path to one is none."""
    secrets = [*SECRETS, "sasl.passwort", "sasl.pasword.password", "sasl.jaas.config", "ssl.truststore.password"]
    shown = [
        "sasl.username",
        "ssl.key.location",
        "ssl.ca.pem",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.oauthbearer.client.id",
    ]
    settings = "".join(f"  {name}: {SECRET}\n" for name in [*secrets, *shown])
    application, _ = configured(tmp_path, configuration(f"kafka:\n  bootstrap.servers: b\n{settings}"))
    assert application is not None
    masked = application.masked()["kafka"]
    assert {name for name, value in masked.items() if value == "***"} == {*secrets}
    assert all(masked[name] == SECRET for name in shown)


@pytest.mark.parametrize(
    ("written", "environment", "read"),
    [
        ("${A}", {"A": "1"}, "1"),
        ("${A:-x}", {}, "x"),
        ("${A:-x}", {"A": ""}, "x"),
        ("${A:-}b", {}, "b"),
        ("a${A}b${B:-c:-d}", {"A": "$", "B": "${A}"}, "a$b${A}"),
        ("$A $5", {}, "$A $5"),
    ],
)
def test_references(written: str, environment: dict[str, str], read: str, tmp_path: Path) -> None:
    application, _ = configured(tmp_path, configuration(f"kafka: {{bootstrap.servers: '{written}'}}\n"), environment)
    assert application is not None
    assert application.kafka["bootstrap.servers"] == read
