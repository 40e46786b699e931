"""The check of a bench run: the net result must be what `fold` makes of the same input, and every sequence free of gaps.

The common oracle expects arrival order; ours is event time with corrections, so it is checked against the meaning of the product.
`BENCH_EVENTS` says how many events the input has.
"""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from gen import events  # the driver's own folder is on the path
from ruamel.yaml import YAML

from processors.topology.program import Program
from schemas.application import Application
from schemas.definitions import Funnel
from tests.oracle import expected, facts_of, net

Records = list[tuple[bytes, bytes]]


def check(conversions: Records, transitions: Records, told: dict[str, Any]) -> list[str]:
    """The faults found; empty when the run is right."""
    program = _program()
    lines = [json.dumps(event).encode() for event in events(int(os.environ["BENCH_EVENTS"]))]
    wanted = expected(program, facts_of(program, ((("web", line, None)) for line in lines)))
    found = net(json.loads(value) for _, value in (*conversions, *transitions))
    missing, doubled = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    faults = [f"{len(missing)} publications are missing"] if missing else []
    faults += [f"{len(doubled)} publications should not be there"] if doubled else []
    differing = [identity for identity in wanted.keys() & found.keys() if wanted[identity] != found[identity]]
    faults += [f"{len(differing)} publications say something else, {differing[0]} first"] if differing else []
    sequences: dict[str, list[int]] = defaultdict(list)
    for key, value in transitions:
        sequences[key.decode()].append(json.loads(value)["sequence"])
    faults += [
        f"{user}: sequence {seen[:9]} has a gap" for user, seen in sequences.items() if seen != list(range(1, len(seen) + 1))
    ]
    if sum(json.loads(value)["op"] == "announce" for _, value in conversions) < told["conversions"]:
        faults.append("fewer conversions than conversion events")
    return faults


def _program() -> Program:
    funnel = YAML(typ="safe", pure=True).load(Path(__file__).with_name("funnel.yml").read_text())
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
    return Program([Funnel.model_validate(funnel)], application)
