"""The outline of a definition file: its rules, each with what it reads and where that is written.

It is built from what was written, not from the model, so that a mistake in one place does not hide those in others: what
cannot be read is left out here and reported where the model refuses it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.conditions import Condition, FieldTest, Signal
from schemas.grammar import Reading
from schemas.mistakes import Path

POSITIONS = ("stages", "detours", "outcomes")
"""The sections whose entries a subject can be in; they share one set of names."""


class Rule:
    """One conversion, stage, detour or outcome.

    Attributes:
        section: `conversions`, `stages`, `detours` or `outcomes`.
        path: Where it stands.
        keys: What was written.
        name: Empty where it has none.
        signals: The alternatives of `when`, each with its place.
        conditions: The alternatives of `while`, each with its place.
        read: Every test and every conversion named in it, with places.
    """

    def __init__(self, section: str, path: Path, keys: Mapping[str, Any]) -> None:
        """Read `when` and `while` of one entry as far as they can be read."""
        self.section = section
        self.path = path
        self.keys = keys
        name = keys.get("name")
        self.name = name if isinstance(name, str) else ""
        self.read = Reading()
        self.signals: list[tuple[Path, Signal]] = []
        self.conditions: list[tuple[Path, Condition]] = []
        for place, raw in _alternatives(keys, "when", path):
            if (signal := self.read.signal(raw, place)) is not None:
                self.signals.append((place, signal))
        for place, raw in _alternatives(keys, "while", path):
            if (condition := self.read.condition(raw, place)) is not None:
                self.conditions.append((place, condition))

    @property
    def word(self) -> str:
        """What one entry of its section is called."""
        return self.section.removesuffix("s")

    @property
    def state_fields(self) -> set[str]:
        """The canonical fields that its rules test."""
        return {test.field for _, test in self.read.tests if not test.field.startswith("event.")}

    @property
    def asks_for(self) -> set[str]:
        """The conversions that its signals and conditions name."""
        return {name for _, name in (*self.read.conversions, *self.read.happened)}

    def reads(self, grain: str) -> bool:
        """Whether it tests a field of this grain, or takes its time of entry from one: by that it is judged per deal."""
        at = self.keys.get("at")
        return any(field.startswith(f"{grain}.") for field in (*self.state_fields, at if isinstance(at, str) else ""))


class Outline:
    """One file.

    Attributes:
        keys: The top-level mapping; empty where the file is none.
        rules: All rules, in file order of their sections.
    """

    def __init__(self, data: Any) -> None:
        """Outline what a document says."""
        self.keys: Mapping[str, Any] = data if isinstance(data, dict) else {}
        self.rules = [
            Rule(section, path, entry) for section in ("conversions", *POSITIONS) for path, entry in self.entries(section)
        ]

    @property
    def is_library(self) -> bool:
        """Whether it is a shared library: conversions, owner and version, and nothing that makes a funnel."""
        return "funnel" not in self.keys and "conversions" in self.keys and not any(key in self.keys for key in POSITIONS)

    def of(self, *sections: str) -> list[Rule]:
        """The rules of some sections."""
        return [rule for rule in self.rules if rule.section in sections]

    def names(self, *sections: str) -> list[str]:
        """The names in some sections, in file order."""
        return [rule.name for rule in self.of(*sections) if rule.name]

    def conversions_used(self) -> list[tuple[Path, str]]:
        """Every conversion that stages, detours, outcomes, states and touches name, with its place."""
        readings = [rule.read for rule in self.of(*POSITIONS)] + [self.touches()]
        named = [use for reading in readings for use in (*reading.conversions, *reading.happened)]
        return named + [use for rule in self.of("conversions") for use in rule.read.happened]

    def entries(self, section: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """The mappings in a list, each with its place."""
        listed = self.keys.get(section)
        for index, entry in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(entry, dict):
                yield (section, index), entry

    def named(self, section: str) -> Iterator[tuple[Path, Any]]:
        """The values in a mapping, each with its place."""
        mapping = self.keys.get(section)
        for name, value in mapping.items() if isinstance(mapping, dict) else ():
            yield (section, name), value

    def orderings(self) -> dict[str, list[str]]:
        """The orderings that can be read, by name."""
        return {
            str(path[-1]): [str(value) for value in values]
            for path, values in self.named("orderings")
            if isinstance(values, list)
        }

    def field_tests(self) -> Iterator[tuple[Path, FieldTest]]:
        """Every test of a field in the file, segments' touches included, with its place."""
        for rule in self.rules:
            yield from rule.read.tests
        yield from self.touches().tests

    def touches(self) -> Reading:
        """What the segments' touches say."""
        reading = Reading()
        for path, segment in self.named("segments"):
            if isinstance(segment, dict) and "touch" in segment:
                reading.signal(segment["touch"], (*path, "touch"))
        return reading


def _alternatives(keys: Mapping[str, Any], key: str, path: Path) -> Iterator[tuple[Path, Any]]:
    if key not in keys:
        return
    written = keys[key]
    if not isinstance(written, list):
        yield (*path, key), written
        return
    for index, raw in enumerate(written):
        yield (*path, key, index), raw
