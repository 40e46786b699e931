"""The engines' common job as this checkout sees it: its kit, its input, and the program that ours makes of it.

The kit lies in ../shared/bench and is only read: a copy of it in bench/work is what runs and what is built.
"""

import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from processors.topology.program import Program
from schemas.application import Application
from schemas.definitions import Funnel
from tests.shared_material import ROOT, SHARED

WORK = ROOT / "bench" / "work"
KIT = WORK / "kit"
FOLDER = ROOT / "bench"
FUNNEL = FOLDER / "funnel.yml"
PARTITIONS = 4


def prepare_kit() -> None:
    """Bring the copy of the kit up to date, or end with a sentence where there is none to copy."""
    given = SHARED / "bench"
    if not given.is_dir():
        sys.exit(
            "The common job lies in ../shared/bench, which is not beside this checkout (FUNNELSTREAM_SHARED names another "
            "folder): there is nothing to compare with. `make bench ARGS=leads` needs none of it."
        )
    for file in given.rglob("*"):
        copy = KIT / file.relative_to(given)
        if file.is_file() and not (copy.exists() and copy.read_bytes() == file.read_bytes()):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def events_file(count: int) -> Path:
    """The first `count` events of the job, one a line; made once and kept, under the name that the driver uses."""
    path = WORK / f"events-{count}.jsonl"
    if not path.exists():
        prepare_kit()
        fresh = path.with_suffix(".part")
        subprocess.run([sys.executable, KIT / "job" / "gen.py", str(count), fresh], check=True)
        fresh.rename(path)
    return path


def partitioned(count: int) -> list[list[bytes]]:
    """The values of each partition of the input, as the driver distributes them."""
    partitions: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    chosen = random.Random(count)
    with events_file(count).open("rb") as lines:
        for line in lines:
            partitions[chosen.randrange(PARTITIONS)].append(line[:-1])
    return partitions


def written(name: str) -> dict[str, Any]:
    """A definition of this folder as it stands in its file."""
    definition: dict[str, Any] = YAML(typ="safe", pure=True).load((FOLDER / name).read_text())
    return definition


def program(*definitions: dict[str, Any]) -> Program:
    """Definitions over the job's source, compiled as `run` compiles them; without any the job's own."""
    application = Application.model_validate(
        {
            "application": "bench",
            "definitions": ".",
            "identity": {"namespaces": [{"name": "user", "kind": "lead"}, {"name": "anonymous", "kind": "visitor"}]},
            "sources": {
                "web": {"topics": ["in"], "format": "segment", "identifiers": {"userId": "user", "anonymousId": "anonymous"}}
            },
        }
    )
    return Program(map(Funnel.model_validate, definitions or (written(FUNNEL.name),)), application)
