"""Commands called in process, and a small application whose records they replay."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from processors.cli.main import app
from processors.engine.stop import Stop
from tests.small_funnel import SMALL

CONFIGURATION = """\
application: test
definitions: funnel.yml
identity: {namespaces: [{name: user, kind: lead}]}
sources:
  web: {topics: [web], format: segment, identifiers: {userId: user}}
  crm: {topics: [crm], format: hubspot, identifiers: {contact.objectId: user}}
"""
FUNNEL = SMALL + "  - {name: customer, description: d, while: {lead.lifecycle_stage: customer}}\n"


def call(*arguments: object) -> Result:
    """What a command printed; what it raised is in `exception`."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def stopped(*arguments: object) -> tuple[int, str]:
    """Exit code and sentence of a command that must stop; anything else it raises fails the test with its traceback."""
    with pytest.raises(Stop) as stop:
        CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return stop.value.code, stop.value.sentence


def demo(user: int, timestamp: str | None) -> dict[str, Any]:
    """A call of Segment that is a conversion."""
    named = {} if timestamp is None else {"timestamp": timestamp}
    return {"type": "track", "event": "Demo", "userId": str(user), "messageId": f"m{user}{timestamp}", **named}


class World(NamedTuple):
    """A folder with the application."""

    folder: Path

    def file(self, name: str, lines: Sequence[Any]) -> Path:
        """A file of one line each: text as it is, anything else as JSON."""
        written = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        (self.folder / name).write_bytes(b"".join(line + b"\n" for line in written))
        return self.folder / name

    def arguments(self, *options: object, out: str = "out", **inputs: Sequence[Any]) -> list[object]:
        """The arguments of `replay` with one input file per source."""
        files = {source: self.file(f"{source}.ndjson", lines) for source, lines in inputs.items()}
        given = [part for source, file in files.items() for part in ("--input", f"{source}={file}")]
        return ["replay", "--config", self.folder / "test.yml", "--out", self.folder / out, *given, *options]

    def replay(self, *options: object, out: str = "out", **inputs: Sequence[Any]) -> Path:
        """The folder that a replay wrote."""
        done = call(*self.arguments(*options, out=out, **inputs))
        assert done.exit_code == 0, (done.output, done.exception)
        return self.folder / out

    def bodies(self, name: str) -> list[dict[str, Any]]:
        """The lines of a file that the replay wrote."""
        return [json.loads(line) for line in (self.folder / "out" / name).read_text().splitlines()]
