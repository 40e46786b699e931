"""The engines' common job: where its kit lies, its input, and the program that ours makes of it."""

import json
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from processors.topology.program import Program
from schemas.application import Application
from schemas.definitions import Funnel

HERE = Path(__file__).resolve().parent
KIT = HERE.parent.parent / "shared" / "bench"
WORK = HERE / "work"
FUNNEL = HERE / "funnel.yml"
PARTITIONS = 4
IDENTITY = {"namespaces": [{"name": "user", "kind": "lead"}, {"name": "anonymous", "kind": "visitor"}]}
SOURCE = {"format": "segment", "identifiers": {"userId": "user", "anonymousId": "anonymous"}}


def require_kit() -> None:
    """Say so and end where the kit is not."""
    if not KIT.is_dir():
        sys.exit("the common job lies in ../shared/bench, which is not beside this checkout: there is nothing to compare with")


def events_file(count: int) -> Path:
    """The first `count` events of the job, one a line; made once and kept, under the name that the driver uses."""
    path = WORK / f"events-{count}.jsonl"
    if not path.exists():
        require_kit()
        WORK.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".part")
        subprocess.run([sys.executable, KIT / "job" / "gen.py", str(count), fresh], check=True)
        fresh.rename(path)
    return path


def program() -> Program:
    """The job's funnel over its source, compiled as `run` compiles it."""
    funnel = YAML(typ="safe", pure=True).load(FUNNEL.read_text())
    application = {
        "application": "bench",
        "definitions": ".",
        "identity": IDENTITY,
        "sources": {"web": {"topics": ["in"], **SOURCE}},
    }
    return Program([Funnel.model_validate(funnel)], Application.model_validate_json(json.dumps(application)))
