"""What happened at one instant, and what a rule read of it: the evidence that every move carries.

Conversions are recognised and signals judged here, once; a move then names the facts that its rule read, lowest order
first, and the values it found, so that every number can be explained down to the events behind it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from processors.stages.rules import Rule, Version
from processors.stages.timeline import FunnelState, Match
from schemas.facts import Fact, Value
from schemas.instants import format_instant

KeyedFact = tuple[bytes, Fact]
"""A fact with its key (`schemas.facts.fact_key`), so that evidence can name it without holding it."""


class _Recognised(NamedTuple):
    """A conversion that an event of this instant is."""

    key: bytes
    fact: Fact
    name: str
    counted: bool


class Evidence:
    """The facts of one instant, with what they match and fire in one funnel.

    Conversions are recognised in the order of the facts, so `if: {happened: ...}` sees those of lower order at the same instant.

    Attributes:
        facts: Sorted by event time, source order and id.
        fired: Names of the rules whose `when` fires now.
    """

    __slots__ = ("_advanced", "_names", "_recognised", "_state", "_version", "facts", "fired")

    def __init__(self, state: FunnelState, facts: Sequence[KeyedFact], version: Version) -> None:
        """Recognise conversions and judge signals; `state` holds the values after all facts of the instant."""
        self._state = state
        self._version = version
        self._advanced: set[tuple[bytes, str]] = set()
        self._recognised: list[_Recognised] = []
        self._names: dict[bytes, set[str]] = {}
        self.facts = facts
        events = [keyed for keyed in facts if keyed[1].kind == "event"]
        for key, fact in events:
            for name, counted in version.classify(fact, state.values, state.memory):
                self._recognised.append(_Recognised(key, fact, name, counted))
                self._names.setdefault(key, set()).add(name)
        self.fired = {rule.name for key, fact in events for rule in version.signalled if self._fires(rule, key, fact)}

    def _fires(self, rule: Rule, key: bytes, fact: Fact) -> bool:
        if rule.latched_by and not rule.latched_by.isdisjoint(self._names.get(key, ())):
            return True
        return any(fires(fact, self._state.values, self._state.memory) for fires in rule.fires)

    def read_by(self, rule: Rule) -> list[bytes]:
        """Keys of the facts that the rule read, lowest order first; the lowest fact of the instant where it read none of them."""
        return [key for key, fact in self.facts if self._reads(rule, key, fact)] or [self.facts[0][0]]

    def _reads(self, rule: Rule, key: bytes, fact: Fact) -> bool:
        if fact.kind == "event":
            return not rule.conversions.isdisjoint(self._names.get(key, ())) or self._fires(rule, key, fact)
        return fact.kind in ("delete", "restore") or any(field in fact.values for field in rule.fields)

    def values_read(self, rule: Rule, cause: bytes) -> dict[str, Value]:
        """What the rule found: the fields it reads; of its cause the conversion, the event's name and paths, or its kind."""
        read = self._fields_read(rule.fields)
        fact = next(fact for key, fact in self.facts if key == cause)
        if fact.kind == "event":
            read |= _event_read(fact, rule.paths)
            for found in self._recognised:
                if found.key == cause and found.name in rule.conversions:
                    read |= {"conversion": found.name, **self._read_by_conversion(found)}
                    break
        elif fact.kind != "change":
            read["record"] = fact.kind
        return read

    def _fields_read(self, fields: Sequence[str]) -> dict[str, Value]:
        return {field: self._shown(field) for field in fields if field in self._state.values}

    def _shown(self, field: str) -> Value:
        """A value as it is published: instants as ISO 8601, like every time in a record."""
        value = self._state.values[field]
        return format_instant(value) if field in self._version.times and isinstance(value, int) else value

    def _read_by_conversion(self, found: _Recognised) -> dict[str, Value]:
        rule = self._version.conversions[found.name]
        return _event_read(found.fact, rule.paths) | self._fields_read(rule.fields)

    def moved(self, rule: Rule, read_by: Sequence[bytes]) -> None:
        """Note that this rule moved the subject, having read these facts: the conversions among them advanced it (rule 1)."""
        self._advanced |= {(key, name) for key in read_by for name in self._names.get(key, ()) if name in rule.conversions}

    def conversions(self, instant: int) -> list[Match]:
        """The conversions of this instant, with whether they moved the subject."""
        return [
            Match(
                name=found.name,
                fact=found.key,
                effective_at=instant,
                counted=found.counted,
                advanced=(found.key, found.name) in self._advanced,
                read=self._read_by_conversion(found),
            )
            for found in self._recognised
        ]


def _event_read(fact: Fact, paths: Sequence[str]) -> dict[str, Value]:
    return {"event": fact.name, **{path: fact.values[path] for path in paths if path in fact.values}}
