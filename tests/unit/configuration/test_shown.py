"""The configuration as `config show` prints it: everything, but instead of a secret where it comes from (ER-32)."""

from pathlib import Path
from typing import Any

import pytest

from processors.configuration.application import load_application
from processors.configuration.shown import shown, shown_settings
from tests.unit.configuration.marked import configuration

SECRET = "correct horse battery staple"


def showing(folder: Path, sections: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    (folder / "application.yml").write_text(configuration(sections))
    (folder / "held").write_text(SECRET)
    application, problems = load_application(folder / "application.yml", environment or {})
    assert application is not None, problems
    plain = shown(application)
    assert SECRET not in str(plain)
    return plain


@pytest.mark.parametrize(
    ("setting", "written", "printed"),
    [
        ("sasl.password", "${PW}", "*** (from ${PW})"),
        ("sasl.password", SECRET, "***"),
        ("sasl.password", f"${{PW:-{SECRET}}}", "*** (from ${PW})"),
        ("ssl.key.pem", "${file:held}", "*** (from ${file:held})"),
        ("ssl.key.password", "${A}-${file:held}", "*** (from ${A} and ${file:held})"),
        ("ssl.ca.pem", "${file:held}", "*** (from ${file:held})"),
        ("client.rack", "${SASL_PASSWORD}", "*** (from ${SASL_PASSWORD})"),
        ("client.rack", "rack ${A}", "rack 1"),
        ("client.rack", "${NOT_SET:-r1}", "r1"),
        ("sasl.username", "${A}", "1"),
    ],
)
def test_er32_a_secret_shows_as_where_it_comes_from_and_anything_else_as_it_is(
    setting: str, written: str, printed: str, tmp_path: Path
) -> None:
    environment = {"PW": SECRET, "SASL_PASSWORD": SECRET, "A": "1"}
    plain = showing(tmp_path, f"kafka: {{bootstrap.servers: '${{HOST:-b:9092}}', {setting}: '{written}'}}\n", environment)
    assert plain["kafka"] == {"bootstrap.servers": "b:9092", setting: printed}


def test_er32_a_variable_that_is_a_secret_once_is_one_everywhere(tmp_path: Path) -> None:
    plain = showing(tmp_path, "kafka: {bootstrap.servers: b, sasl.password: '${PW}', client.rack: 'x${PW}'}\n", {"PW": SECRET})
    assert plain["kafka"]["client.rack"] == "*** (from ${PW})"


def test_er32_secrets_outside_of_kafka(tmp_path: Path) -> None:
    identity = "identity: {hash_key: '${file:held}', namespaces: [{name: user, kind: lead}]}\n"
    (tmp_path / "address").write_text("127.0.0.1:1")
    written = identity + "topics: {prefix: '${PREFIX}'}\nhttp: {listen: '${file:address}'}\n"
    plain = showing(tmp_path, written, {"PREFIX": "p"})
    assert plain["identity"]["hash_key"] == "*** (from ${file:held})"
    assert plain["http"]["listen"] == "*** (from ${file:address})"
    assert plain["topics"]["prefix"] == "p"
    assert plain["topics"]["keep_facts"] == "7d", "defaults are filled in"


def test_er32_a_text_in_the_place_of_a_list_is_masked_where_the_list_is(tmp_path: Path) -> None:
    (tmp_path / "topic").write_text("clicks")
    sources = "sources: {web: {topics: '${file:topic}', format: segment, identifiers: {userId: user}}}\n"
    assert showing(tmp_path, sources)["sources"]["web"]["topics"] == "*** (from ${file:topic})"


def test_what_clients_are_told_is_masked_alike() -> None:
    kafka = {"sasl.password": "*** (from ${PW})", "linger.ms": "5"}
    told = shown_settings({"sasl.password": SECRET, "linger.ms": "5", "acks": "all"}, kafka)
    assert told == {"acks": "all", "linger.ms": "5", "sasl.password": "*** (from ${PW})"}
