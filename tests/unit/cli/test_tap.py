"""What `tap` and `dlq` refuse before they connect: names that do not exist would let nothing through, without a word."""

from pathlib import Path

import pytest

from processors.identity.identifiers import Identifiers
from schemas.application import Application
from tests.unit.cli.called import CONFIGURATION, FUNNEL, call
from tests.unit.topology.ingested import IDENTITY
from tests.worlds import application


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "funnel.yml").write_text(FUNNEL)
    (tmp_path / "test.yml").write_text(CONFIGURATION)
    return tmp_path / "test.yml"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["tap", "--stage", "askd"], "there are asked, customer"),
        (["tap", "--conversion", "asked"], "there are demo"),
        (["tap", "--funnel", "tiny"], "there are small"),
        (["tap", "--lead", "151"], "write user:..."),
        (["tap", "--lead", "contact:151"], "write user:..."),
        (["tap", "--from-beginning", "--last", "3"], "either"),
        (["tap", "outputs"], "outputs"),
        (["tap", "--last", "0"], "--last"),
        (["dlq", "replay"], "--all"),
        (["dlq", "replay", "--all", "--since", "yesterday"], "such as 2h"),
        (["run", "--instance", "dlq-replay"], "name another one"),
        (["dlq", "show", "42"], "such as 3/42"),
        (["dlq", "show", "3/42/x"], "such as 3/42"),
    ],
)
def test_a_name_that_does_not_exist_is_a_usage_error_that_says_which_do(config: Path, options: list[str], said: str) -> None:
    refused = call(*options, "--config", config)
    assert refused.exit_code == 2
    assert said in " ".join(refused.output.replace("│", " ").split())


def identifiers(told: Application) -> Identifiers:
    key = told.identity.hash_key
    return Identifiers(told.identity.namespaces, (), key.get_secret_value().encode() if key else b"")


def test_a_person_is_named_by_the_identifier_that_the_source_sends() -> None:
    """Also where only its hash is published; and by the hash, where that is all one has."""
    known = identifiers(application(identity=IDENTITY))
    sent = known.strongest({"traits.email": " Ada@Example.org "}, known.ranked("web", {"traits.email": "email"}))
    assert sent is not None
    assert known.named("email:ada@example.org") == known.named("email:Ada@Example.ORG ") == sent.text
    assert known.named(sent.text) == sent.text
    assert known.named("user:a:b") == "user:a:b"
    assert (known.named("nobody:1"), known.named("151")) == (None, None)
