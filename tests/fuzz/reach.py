"""What an input reaches of our code, and which of many inputs are worth keeping for it.

Steps from one line to another are counted as reach, which tells more apart than lines and far less than libFuzzer's counters: the
corpus stays small enough to be replayed by every test run.
"""

import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.targets import Target
from tests.shared_material import ROOT

Step = tuple[CodeType, int, int]
_OURS = tuple(f"{ROOT / package}/" for package in ("processors", "schemas"))


def reach(target: Target, data: bytes) -> set[Step]:
    """The steps within our functions that an input takes; an input that breaks a promise reaches nothing.

    What functions remember is forgotten first: else an input would reach less for what those before it had asked for.
    """
    steps: set[Step] = set()

    def entered(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(_OURS):
            return None
        code, before = frame.f_code, 0

        def stepped(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal before
            if event == "line":
                steps.add((code, before, frame.f_lineno))
                before = frame.f_lineno
            return stepped

        return stepped

    for forget in _memories():
        forget()
    tracing = sys.gettrace()
    sys.settrace(entered)
    try:
        target.run(data)
    except Exception:
        steps.clear()
    finally:
        sys.settrace(tracing)
    return steps


@cache
def _memories() -> list[Callable[[], None]]:
    """How the caches of our functions are emptied."""
    ours = [module for module in list(sys.modules.values()) if (getattr(module, "__file__", None) or "").startswith(_OURS)]
    caches = (value for module in ours for value in vars(module).values() if hasattr(value, "cache_clear"))
    return [cached.cache_clear for cached in caches]


def keep(target: Target, found: Iterable[Path]) -> int:
    """Copy those of the found inputs into the corpus that reach what none in it does, small ones first; returns how many."""
    known = set[Step]().union(*(reach(target, file.read_bytes()) for file in target.inputs()))
    kept = 0
    for file in sorted(found, key=lambda file: (file.stat().st_size, file.name)):
        data = file.read_bytes()
        if new := reach(target, data) - known:
            known |= new
            kept += 1
            (target.corpus / file.name).write_bytes(data)
    return kept
