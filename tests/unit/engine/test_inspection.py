"""`check` where not even a client can be made: the reason is a finding, and what depends on it is unknown (ER-16)."""

from pathlib import Path

from processors.cli.check import naming
from processors.engine.described import Partition, Topic
from processors.engine.findings import missing
from processors.engine.inspection import Inspection, of_other_facts
from processors.engine.mark import BEGIN_AGAIN, Mark
from processors.engine.preflight import presence
from processors.engine.settings import EngineSettings
from schemas.application import OwnTopics
from tests.kafka.summing import DEFINITIONS

TOPICS = OwnTopics("facts", "changelog", "transitions", "conversions", "leads", "metrics", "dead")


def test_files_that_are_not_there_are_findings_and_the_rest_is_unknown(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.pem")
    kafka = {
        "bootstrap.servers": "127.0.0.1:1",
        "security.protocol": "ssl",
        "ssl.ca.location": gone,
        "ssl.certificate.location": gone,
    }
    settings = EngineSettings("app", "one", kafka, {"in": "web"}, TOPICS, tmp_path)
    found = list(Inspection(settings, 4, None, DEFINITIONS).findings())
    assert {finding.subject for finding in missing(found)} == {"kafka.ssl.*", "127.0.0.1:1"}
    assert gone in " ".join(finding.says for finding in missing(found))
    assert {finding.area for finding in found if finding.state == "unknown"} == {"topic", "permission", "definitions"}


def test_er03_er25_state_of_other_facts_is_begun_again() -> None:
    facts = Topic("facts-2", [Partition(number, 0, (), ()) for number in range(2)], None)
    marks = [Mark(1, "", 2, topic="facts-2"), Mark(1, "", 2), Mark(1, "", 2, topic="facts-1"), Mark(1, "", 1, topic="facts-2")]
    assert list(of_other_facts(TOPICS, facts, dict(enumerate(marks[:2])))) == []
    anew, grown = of_other_facts(TOPICS, facts, dict(enumerate(marks)))
    assert anew.says.startswith("was deleted and made anew")
    assert grown.says.startswith("has 2 partitions, the state in changelog was written with 1")
    assert {(each.state, each.mend) for each in (anew, grown)} == {("missing", BEGIN_AGAIN)}


def test_commands_to_copy_name_the_configuration_that_was_given(tmp_path: Path) -> None:
    """Topics of sources are made by another command than our own."""
    settings = EngineSettings("app", "one", {}, {"in": "web"}, TOPICS, tmp_path)
    mends = [naming(Path("my app.yml"), finding).mend for finding in presence(settings, ["facts"], {})]
    create = "run `funnelstream topics create --config 'my app.yml'"
    assert mends == [
        f"{create}`",
        f"create it (to try things out, {create} --with-sources`), or correct sources.web",
    ]
