"""The documents against the code: what they name exists, what exists is named, and what they print as an example works."""

import re
import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from processors.cli.main import app
from processors.configuration import unbuilt as refused
from processors.configuration.application import load_application
from processors.configuration.definitions import load_definitions
from processors.engine import refusals
from processors.engine.metrics import Metrics
from processors.topology.deadletters import REASONS
from schemas.application import Application, Identity, Limits, Namespace, Source, Topics
from schemas.cases import Case, CaseFile, Counts, Expected, Given, Operation
from schemas.definitions import Conversion, Funnel, Outcome, Policies, Stage
from schemas.shape import Shape
from tests.fuzz.targets import TARGETS
from tests.shared_material import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TEXTS = {document: document.read_text() for document in DOCUMENTS}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROSE = {document: BLOCK.sub("", text) for document, text in TEXTS.items()}

MACHINE = r"(?<![\w.])/(?:home|root|tmp|work|Users|opt|mnt)/"
PACKAGE_HOST = r"pypi|pythonhosted|index-url|artifactory|nexus"

FILES_PEOPLE_WRITE: dict[str, list[type[Shape]]] = {
    "docs/definitions.md": [Funnel, Conversion, Stage, Outcome, Policies, CaseFile, Case, Given, Expected, Operation, Counts],
    "docs/configuration.md": [Application, Topics, Identity, Namespace, Source, Limits],
}

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))


def blocks(document: Path, *languages: str) -> list[str]:
    """The code blocks of a document; of these languages where any is named."""
    return [body for written, body in BLOCK.findall(TEXTS[document]) if written in languages or not languages]


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives a document's headings, and those that it sets itself."""
    headings = re.findall(r"^#+ (.+)$", PROSE[document], re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', PROSE[document]))


@each_document
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", PROSE[document]):
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        known = not anchor or (file in TEXTS and anchor in anchors(file))
        if "://" not in target and not (file.exists() and known):
            broken.append(target)
    assert broken == []


@each_document
def test_no_document_names_a_machine_or_a_place_to_fetch_from(document: Path) -> None:
    assert re.findall(f"{MACHINE}|{PACKAGE_HOST}", TEXTS[document], re.IGNORECASE) == []


def test_the_figures_of_fuzzing_are_of_every_target() -> None:
    section = TEXTS[ROOT / "docs/reliability.md"].partition("**Fuzzing.**")[2].partition("From one `make fuzz")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [*TARGETS]


def test_the_map_names_every_module_and_no_other() -> None:
    """A newcomer finds each file in ARCHITECTURE.md, in the list below the heading of its folder."""
    sections = re.findall(r"^### `([\w/]+)/`\n(.*?)(?=^##)", TEXTS[ROOT / "ARCHITECTURE.md"], re.MULTILINE | re.DOTALL)
    lines = [(folder, line) for folder, body in sections for line in body.splitlines() if line.startswith("- ")]
    named = {f"{folder}/{file}" for folder, line in lines for file in re.findall(r"`(\w+\.py)`", line)}
    there = {file for package in ("processors", "schemas") for file in (ROOT / package).rglob("*.py")}
    modules = {file.relative_to(ROOT).as_posix() for file in there}
    assert named == {module for module in modules if not module.endswith("/__init__.py") or module in named}


def test_the_architecture_speaks_of_code_that_is_there() -> None:
    """The path of a record and the life of a transaction name functions, as `Loop._fill` or `mark.check`."""
    files = [file for package in ("processors", "schemas") for file in (ROOT / package).rglob("*.py")]
    there = {name for file in files for name in re.findall(r"\b(?:def|class) (\w+)", file.read_text())}
    spoken = re.findall(r"`(\w+)\.(\w+)`", TEXTS[ROOT / "ARCHITECTURE.md"])
    named = {(owner, name) for owner, name in spoken if name not in ("py", "yml", "toml")}
    owners = there | {file.stem for file in files}
    assert len(named) > 10
    assert {f"{owner}.{name}" for owner, name in named if owner not in owners or name not in there} == set()


def commands() -> Iterator[str]:
    """Every command by the words that call it."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        yield from (f"{name} {inner}" for inner in command.commands) if isinstance(command, TyperGroup) else [name]


def test_every_command_is_in_the_documents() -> None:
    written = "\n".join(TEXTS.values())
    assert [command for command in commands() if f"funnelstream {command}" not in written] == []


@each_document
def test_printed_commands_can_be_called(document: Path) -> None:
    """Every `funnelstream ...` line of a block names a command that exists with options that it has."""
    for line in re.findall(r"^(?:\$ )?funnelstream (.+)$", "\n".join(blocks(document)), re.MULTILINE):
        asked = CliRunner().invoke(app, [*shlex.split(line, comments=True), "--help"])
        assert asked.exit_code == 0, f"funnelstream {line}\n{asked.output}"


def test_the_example_of_the_readme_is_ready_to_run(tmp_path: Path) -> None:
    """Configuration and funnel as printed have no mistake, and use nothing that is not built."""
    configuration, funnel = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "funnels").mkdir()
    (tmp_path / "funnels" / "example.yml").write_text(funnel)
    (tmp_path / "funnelstream.yml").write_text(configuration)
    application, problems = load_application(tmp_path / "funnelstream.yml", {})
    assert application is not None, problems
    definitions, found = load_definitions([Path(application.definitions)], application)
    assert [*found, *refused.unbuilt(definitions, application)] == []


def test_the_replay_of_the_readme_prints_what_is_printed_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = ROOT / "README.md"
    configuration, funnel = blocks(readme, "yaml")
    (tmp_path / "funnels").mkdir()
    (tmp_path / "funnels" / "demo-to-customer.yml").write_text(funnel)
    (tmp_path / "funnelstream.yml").write_text(configuration)
    for name, records in re.findall(r"^cat > (\S+) <<'END'\n(.*?)^END$", TEXTS[readme], re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(records)
    monkeypatch.chdir(tmp_path)
    (session,) = [block for block in blocks(readme) if block.startswith("$ funnelstream replay")]
    for command, printed in re.findall(r"^\$ funnelstream (.+)\n((?:(?!\$).*\n)+)", session, re.MULTILINE):
        done = CliRunner().invoke(app, shlex.split(command))
        assert [line.rstrip() for line in done.stdout.rstrip().splitlines()] == printed.rstrip().splitlines()


def test_what_each_shipped_funnel_needs_is_said() -> None:
    """docs/definitions.md names every field that it reads, as lint asks for it where sources give none."""
    namespaces = (Namespace(name="user", kind="lead"),)
    web = Source(topics=("t",), format="segment", identifiers={"userId": "user"})
    bare = Application(application="a", definitions="d", identity=Identity(namespaces=namespaces), sources={"web": web})
    rows = re.findall(r"^\| `([\w-]+\.yml)` \|.*\| (.+) \|$", TEXTS[ROOT / "docs/definitions.md"], re.MULTILINE)
    assert len(rows) == len([file for file in (ROOT / "funnels").glob("*.yml") if not file.name.endswith(".test.yml")])
    for name, needs in rows:
        _, problems = load_definitions([ROOT / "funnels" / name], bare)
        read = {found[1] for each in problems if (found := re.match(r"(\S+) is no field of any source", each.sentence))}
        assert set(re.findall(r"`((?:lead|deal|account)\.\w+)`", needs)) == read, name


def test_the_example_of_a_given_expect_file_holds(tmp_path: Path) -> None:
    """docs/definitions.md prints one for the funnel of the README."""
    (example,) = [block for block in blocks(ROOT / "docs/definitions.md", "yaml") if "tests:" in block]
    (tmp_path / "example.yml").write_text(blocks(ROOT / "README.md", "yaml")[1])
    (tmp_path / "example.test.yml").write_text(example)
    done = CliRunner().invoke(app, ["test", str(tmp_path)])
    assert done.exit_code == 0, done.output


def test_the_configurations_of_a_secured_cluster_have_no_mistake(tmp_path: Path) -> None:
    """docs/operations.md prints one whole, and the `kafka` of another."""
    for name in re.findall(r"\$\{file:/run/secrets/([\w.-]+)\}", TEXTS[ROOT / "docs/operations.md"]):
        (tmp_path / name).write_text("a secret of more than 16 bytes")
    whole, kafka = (text.replace("/run/secrets", str(tmp_path)) for text in blocks(ROOT / "docs/operations.md", "yaml"))
    other = re.sub(r"^kafka:\n(?:  .*\n)+", lambda _: kafka, whole, flags=re.MULTILINE)
    for text, mode in ((whole, "SASL_SSL"), (other, "SSL")):
        (tmp_path / "funnelstream.yml").write_text(text)
        application, problems = load_application(tmp_path / "funnelstream.yml", {})
        assert application is not None, problems
        assert application.kafka["security.protocol"] == mode


def test_every_refusal_is_in_the_documents() -> None:
    """docs/operations.md repeats what brokers that refuse mean, and the settings to mend it."""
    table = TEXTS[ROOT / "docs/operations.md"].partition("### When brokers refuse")[2].partition("###")[0]
    known = [*refusals.BY_WORDS, *chain(*refusals.BY_CODE.values())]
    assert [each.meaning for each in known if each.meaning.partition(":")[0].partition(", as by")[0] not in table] == []


def test_what_is_refused_is_named_in_the_readme() -> None:
    """A release that builds something deletes its line there as well."""
    section = TEXTS[ROOT / "README.md"].partition("## What is not there yet")[2].partition("\n## ")[0]
    names = " ".join(part.name for part in (*refused._IN_DEFINITIONS, *refused._IN_APPLICATION))
    telling = set(re.findall(r"[a-z_]{3,}", names)) - {"the", "that", "this", "reads", "further", "grains", "conversion"}
    assert sorted(word for word in telling if word not in section) == []


@each_document
def test_printed_python_is_python(document: Path) -> None:
    for body in blocks(document, "python"):
        compile(body, str(document), "exec")


def test_every_metric_has_its_line() -> None:
    """docs/operations.md repeats each metric's own documentation."""
    row = r"^\| `(funnelstream_worker_\w+?)(?:_total|_info)?` \| \w+ \| [^|]*\| (.+) \|$"
    rows = re.findall(row, TEXTS[ROOT / "docs/operations.md"], re.MULTILINE)
    assert dict(rows) == {family.name: family.documentation for family in Metrics().registry.collect()}


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    files = [file for folder in ("sources", "topology") for file in (ROOT / "processors" / folder).glob("*.py")]
    given = r'(?:Undecodable|_headers|_publish|dead_letter)\((?:[\w\s,.\[\]:]*?)"([a-z_0-9]+)"'
    reasons = {reason for file in files for reason in re.findall(given, file.read_text())}
    table = TEXTS[ROOT / "docs/consuming.md"].partition("| reason | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    explained = {reason for row in table.splitlines() for reason in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert {"too_large", "conflicting_duplicate", "not_json"} <= reasons, "the pattern above no longer finds them"
    assert explained == reasons == set(REASONS)


@pytest.mark.parametrize("document", FILES_PEOPLE_WRITE)
def test_every_key_is_explained(document: str) -> None:
    """Each key of the files that people write stands in its document, as code."""
    keys = {
        field.serialization_alias or name for model in FILES_PEOPLE_WRITE[document] for name, field in model.model_fields.items()
    }
    code = " ".join(re.findall(r"`([^`]+)`", PROSE[ROOT / document]))
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", code)) == []
