"""Hostile files through the commands: a sentence with its place and exit code 1 or 3, never a traceback."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from processors.cli.main import run_command
from processors.configuration.yaml_nodes import LARGEST_FILE
from tests.unit.cli.called import CONFIGURATION, FUNNEL

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", ":1:1: the file is empty"),
    "another encoding": ("name: Jörg".encode("latin-1"), ":1:8: the file is not UTF-8"),
    "UTF-16": ("name: x".encode("utf-16"), ":1:1: the file is not UTF-8"),
    "zero bytes": (b"a: \x00\x00", ":1:4: this is no YAML"),
    "tabs": (b"a:\n\tb: 1", ":2:1: this is no YAML: found character '\\t' that cannot start any token; indent with spaces"),
    "billion laughs": (LAUGHS.encode(), "says more than 50000 things"),
    "an alias to itself": (b"a: &a [*a]", "nested more than 40 deep"),
    "lists 10,000 deep": (b"- " * 10_000, ":1:81: it is nested more than 40 deep"),
    "mappings 10,000 deep": (b"{a: " * 10_000, "nested more than 40 deep"),
    "5 MB": (b"# " + b"x" * 5_000_000, f"larger than {LARGEST_FILE // 1024} KiB"),
    "a list": (b"[1, 2]", "is a mapping of keys to values"),
    "a number": (b"42", "is a mapping of keys to values"),
    "keys that are no text": (b"? [a]\n: b", ":1:3: a key must be a text"),
    "a type of a language": (b"a: !!python/object/apply:os.system [x]", "has no meaning here"),
    "two documents": (b"--- a\n--- b", "found another document"),
}
MORE_IN_A_FILE: dict[str, tuple[str, str]] = {
    "a key twice": ("version: 1\n", "is written twice"),
    "no number": ("limits: {nesting: .nan}\nvalue: .inf\n", "put it in quotes"),
    "a huge number": (f"limits: {{nesting: {'9' * 5000}}}\nvalue: {'9' * 5000}\n", "put it in quotes"),
    "a huge number in base 16": (f"limits: {{nesting: 0x{'f' * 5000}}}\nvalue: 0x{'f' * 5000}\n", "put it in quotes"),
    "a large number": (f"limits: {{nesting: {'9' * 900}}}\nvalue: {'9' * 900}\n", "99"),
}

both = pytest.mark.parametrize(("how", "written"), [("run", "funnelstream.yml"), ("lint", "funnel.yml")])


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["funnelstream", *map(str, words)])
    return run_command()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "funnelstream.yml").write_text(CONFIGURATION)
    (tmp_path / "funnel.yml").write_text(FUNNEL)
    return tmp_path


@both
@pytest.mark.parametrize("what", FILES)
def test_a_hostile_file_is_refused_with_its_place(
    how: str, what: str, written: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, says = FILES[what]
    (folder / written).write_bytes(raw)
    assert command(monkeypatch, how, "--config", folder / "funnelstream.yml") == 1
    printed = "".join(capsys.readouterr())
    assert says in printed
    assert f"{folder / written}:" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("what", MORE_IN_A_FILE)
@both
def test_a_hostile_value_is_refused_with_its_place(
    how: str, what: str, written: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more, says = MORE_IN_A_FILE[what]
    text = (folder / written).read_text()
    (folder / written).write_text(text + (more if written == "funnel.yml" else more.replace("version", "definitions")))
    assert command(monkeypatch, how, "--config", folder / "funnelstream.yml") == 1
    printed = "".join(capsys.readouterr())
    assert says in printed
    assert "Traceback" not in printed


def loop(file: Path) -> None:
    """A file that nobody can open, not even root."""
    file.symlink_to(file.name)


def unreadable(file: Path) -> None:
    file.write_text("")
    file.chmod(0)


UNREADABLE: dict[str, Callable[[Path], object]] = {"missing": lambda file: None, "a folder": Path.mkdir, "a loop": loop}
if os.geteuid() != 0:  # root reads everything
    UNREADABLE["forbidden"] = unreadable


@both
@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_the_environment_s_fault(
    how: str, what: str, written: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / written).unlink()
    UNREADABLE[what](folder / written)
    assert command(monkeypatch, how, "--config", folder / "funnelstream.yml") == 3
    printed = capsys.readouterr().err
    assert printed.startswith("funnelstream: ")
    assert str(folder / written) in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(("path", "code"), [('"a\\0b"', 1), ("x" * 5000, 3), ('"\\ud800"', 1), ("loop/", 3)])
def test_a_path_that_no_file_can_have(
    path: str, code: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loop(folder / "loop")
    (folder / "funnelstream.yml").write_text(CONFIGURATION.replace("funnel.yml", path))
    assert command(monkeypatch, "lint", "--config", folder / "funnelstream.yml") == code
    assert "Traceback" not in "".join(capsys.readouterr())
