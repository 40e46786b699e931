"""Every sentence with which a command ends or warns, against the documents: it has a row there, and the row has its code.

The sentences are read from the source: the literals of `Stop(code, sentence)`, and of what is logged as a warning or worse. A row
names a sentence by its beginning, with `..` for each value and `…` for words left out. No sentence may lack a row, and no row may
be of a sentence that is not there any more.
"""

import ast
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest

from processors.engine import stop
from tests.shared_material import ROOT

SECTIONS = {"docs/operations.md": "## Error lines", "docs/insights.md": "## When something is wrong"}
PACKAGES = ("cli", "engine", "insights", "state")
GOES_ON = "goes on"
VALUE = "\0"
LOGGED = {
    "log": (GOES_ON, "4", "5"),
    "warning": (GOES_ON,),
    "error": ("4", "5"),
    "exception": (GOES_ON, "4", "5"),
    "critical": ("5",),
}
"""What the row of a sentence may say of the end, by the method that logs it: after a warning there is none."""
HANDED_ON = {
    ("processors/cli/cases.py", "str(error)"),
    ("processors/cli/lint.py", "str(reason)"),
    ("processors/cli/loading.py", "str(error)"),
    ("processors/cli/replay.py", "str(error)"),
    ("processors/engine/broker_errors.py", "form"),
    ("processors/engine/process.py", "'%s'"),
    ("processors/engine/storehouse.py", "'%s'"),
    ("processors/engine/worker.py", "'%s'"),
    ("processors/insights/process.py", "'%s'"),
}
"""Calls without words of their own: they hand on what another one says, what a loader of files does, or a client."""


class Sentence(NamedTuple):
    """A sentence in the source, with `..` in the place of values. `codes` are those that its row may have."""

    place: str
    text: str
    codes: tuple[str, ...]


class Row(NamedTuple):
    """A row of the tables, once for each sentence that its first cell names."""

    says: str
    code: str

    def fits(self, sentence: Sentence) -> bool:
        """Whether the sentence begins so."""
        return re.match(".*".join(map(re.escape, self.says.split("…"))), sentence.text, re.DOTALL) is not None


class Reader(ast.NodeVisitor):
    """Collects the sentences of a module; `wordless` are the calls in which none is seen."""

    def __init__(self, file: str, source: str) -> None:
        tree = ast.parse(source)
        self._file = file
        self._texts = [_named(tree.body)]
        self.sentences: list[Sentence] = []
        self.wordless: list[tuple[str, str]] = []
        self.visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._texts.append(self._texts[-1] | _named(ast.walk(node)))
        self.generic_visit(node)
        self._texts.pop()

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        on, _, called = ast.unparse(node.func).rpartition(".")
        if called == "Stop":
            given = dict(zip(("code", "sentence"), node.args, strict=False)) | {each.arg: each.value for each in node.keywords}
            code = ast.unparse(given["code"]).rpartition(".")[2]
            self._take(node, given["sentence"], (str(getattr(stop, code)),))
        elif called in LOGGED and re.search(r"log(ger)?$", on):
            self._take(node, node.args[called == "log"], LOGGED[called])

    def _take(self, node: ast.Call, said: ast.expr, codes: tuple[str, ...]) -> None:
        text = re.sub(rf"({VALUE}|%(\.\d)?[sdrf])+", "..", self._text(said))
        if re.search(r"[a-z]{3}", text):
            self.sentences.append(Sentence(f"{self._file}:{node.lineno}", text, codes))
        else:
            self.wordless.append((self._file, ast.unparse(said)))

    def _text(self, said: ast.expr) -> str:
        match said:
            case ast.Constant():
                return str(said.value)
            case ast.JoinedStr():
                return "".join(map(self._text, said.values))
            case ast.FormattedValue():
                return self._text(said.value)
            case ast.BinOp(op=ast.Add()):
                return self._text(said.left) + self._text(said.right)
            case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[ast.List(elts=[first, *_])]):
                return self._text(first)
            case ast.Name() if said.id in self._texts[-1]:
                return self._text(self._texts[-1][said.id])
        return VALUE


def _named(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """The texts that have a name: assigned once, so that it is known which one is meant."""
    values: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
    return {name: found[0] for name, found in values.items() if len(found) == 1 and _is_text(found[0])}


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.JoinedStr | ast.BinOp) or (isinstance(value, ast.Constant) and isinstance(value.value, str))


def readers() -> list[Reader]:
    """Every module of the packages."""
    files = sorted(file for package in PACKAGES for file in (ROOT / "processors" / package).rglob("*.py"))
    return [Reader(file.relative_to(ROOT).as_posix(), file.read_text()) for file in files]


def documented() -> list[Row]:
    """The rows of all tables `it says | code | it means | do`."""
    found = []
    for document, heading in SECTIONS.items():
        section = (ROOT / document).read_text().partition(f"\n{heading}\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| (`.+?`) \| ([^|]+) \| [^|]+ \| [^|]+ \|$", section, re.MULTILINE)
        assert len(rows) == len(re.findall(r"^\| `", section, re.MULTILINE)), f"{document}: a row has no code, meaning or mend"
        found += [Row(each, code) for says, code in rows for _, each in re.findall(r"(`+)(.+?)\1(?!`)", says)]
    return found


def faults(sentences: Sequence[Sentence], rows: Sequence[Row]) -> list[str]:
    """What does not fit, in sentences. Where several rows fit, the one that says most is meant."""
    found = [f"two rows say {one.says!r}" for one, other in pairwise(sorted(rows)) if one.says == other.says]
    found += [
        f"a row must say how its sentence begins: {row.says!r}" for row in rows if not re.search(r"^[^…]*[a-z]{3}", row.says)
    ]
    met = set()
    for place, text, codes in sentences:
        fitting = [row for row in rows if row.fits(Sentence(place, text, codes))]
        if not fitting:
            found.append(f"{place}: no row of {' or '.join(SECTIONS)} says: {text}")
            continue
        row = max(fitting, key=lambda row: len(row.says))
        met.add(row)
        if row.code not in codes:
            found.append(f"{place}: the row {row.says!r} has code {row.code}, not {' or '.join(codes)}: {text}")
    return found + [f"nothing says any more: {row.says!r}" for row in rows if row not in met]


def test_every_sentence_that_ends_or_warns_has_its_row() -> None:
    read = readers()
    wordless = {each for reader in read for each in reader.wordless}
    assert wordless == HANDED_ON, "write a sentence where it is raised or logged: then it can be held against the documents"
    found = faults([sentence for reader in read for sentence in reader.sentences], documented())
    assert not found, "\n" + "\n".join(found)


def test_no_sentence_speaks_of_the_rules_of_the_engine() -> None:
    """ER-n is for who reads the code: who operates has the documents."""
    said = [sentence for reader in readers() for sentence in reader.sentences]
    assert len(said) > 100
    assert [sentence.place for sentence in said if re.search(r"\bER-\d", sentence.text)] == []


@pytest.mark.parametrize(
    ("source", "rows", "fault"),
    [
        ('raise Stop(AGAIN, f"the moon {x} is full")', [("the moon ..", "5")], ""),
        ('said = f"the {x} moon"\nreturn stop.Stop(sentence=said + " is full", code=stop.AGAIN)', [("the .. moon is", "5")], ""),
        ('log.warning("the moon %s is full", x)', [("the … full", GOES_ON)], ""),
        ('raise Stop(AGAIN, f"the moon {x} is full")', [], "f.py:1: no row of docs/operations.md or"),
        ('raise Stop(AGAIN, f"a full moon {x}")', [("moon", "5")], "f.py:1: no row"),
        ('log.warning("the moon %s is full", x)', [("the moon .. is new", GOES_ON)], "f.py:1: no row"),
        ('self._log.error("the moon is full")', [("the moon", GOES_ON)], "the row 'the moon' has code goes on, not 4 or 5"),
        ('raise Stop(AGAIN, f"the moon {x} is full")', [("the moon ..", "3")], "has code 3, not 5"),
        ('log.critical("the moon")', [("the moon", "5"), ("the moon is", "5")], "nothing says any more: 'the moon is'"),
        ('log.critical("the moon")', [("the moon", "5"), ("the moon", "5")], "two rows say 'the moon'"),
        ('raise Stop(AGAIN, f"{x} is full")', [("..", "5")], "a row must say how"),
        ('raise Stop(AGAIN, f"{x} is full")', [("… full", "5")], "a row must say how"),
    ],
)  # fmt: skip
def test_what_the_reading_notices(source: str, rows: list[tuple[str, str]], fault: str) -> None:
    found = faults(Reader("f.py", source).sentences, [Row(*row) for row in rows])
    assert any(fault in each for each in found) if fault else found == []
