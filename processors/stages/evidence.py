"""What happened at one instant, and what a rule read of it: the evidence that every move carries.

Conversions are recognised and signals judged here, once; a move then names the facts that its rule read, lowest order
first, and the values it found, so that every number can be explained down to the events behind it.
"""

from collections.abc import Sequence

import msgspec

from processors.stages.rules import Rule, Version
from processors.stages.timeline import FunnelState, Match
from schemas.facts import Fact, Value
from schemas.instants import format_instant

KeyedFact = tuple[bytes, Fact]
"""A fact with its key (`schemas.facts.fact_key`), so that evidence can name it without holding it."""


class _Recognised(msgspec.Struct, gc=False):
    """A conversion that an event of this instant is; what was read of it, and whether it has moved the subject."""

    name: str
    counted: bool
    read: dict[str, Value]
    advanced: bool = False


class Evidence:
    """The facts of one instant, with what they match and fire in one funnel.

    Conversions are recognised in the order of the facts, so `if: {happened: ...}` sees those of lower order at the same instant.

    Attributes:
        facts: Sorted by event time, source order and id.
        fired: Names of the rules whose `when` fires now.
    """

    __slots__ = ("_recognised", "_state", "_version", "facts", "fired")

    def __init__(self, state: FunnelState, facts: Sequence[KeyedFact], version: Version) -> None:
        """Recognise conversions and judge signals; `state` holds the values after all facts of the instant."""
        self._state = state
        self._version = version
        self._recognised: dict[bytes, list[_Recognised]] = {}
        self.facts = facts
        self.fired: set[str] = set()
        events = [keyed for keyed in facts if keyed[1].kind == "event"]
        for key, fact in events:
            matches = version.classify(fact, state.values, state.memory)
            if matches:
                self._recognised[key] = [_Recognised(name, counted, self._read_by(name, fact)) for name, counted in matches]
                for name, _ in matches:
                    self.fired.update(version.latched_by.get(name, ()))
        for _, fact in events:
            rules = version.fired_by.get(fact.name)
            if rules:
                self.fired.update(rule.name for rule in rules if self._fires(rule, fact))

    def _fires(self, rule: Rule, fact: Fact) -> bool:
        """Whether an event fires a signal of the rule; conversions aside."""
        state = self._state
        return any(fires is None or fires(fact, state.values, state.memory) for fires in rule.fires.get(fact.name, ()))

    def read_by(self, rule: Rule) -> list[bytes]:
        """Keys of the facts that the rule read, lowest order first; the lowest fact of the instant where it read none of them."""
        if len(self.facts) == 1:
            return [self.facts[0][0]]
        return [key for key, fact in self.facts if self._reads(rule, key, fact)] or [self.facts[0][0]]

    def _reads(self, rule: Rule, key: bytes, fact: Fact) -> bool:
        if fact.kind == "event":
            return any(found.name in rule.conversions for found in self._recognised.get(key, ())) or self._fires(rule, fact)
        return fact.kind in ("delete", "restore") or any(field in fact.values for field in rule.fields)

    def values_read(self, rule: Rule, cause: bytes) -> dict[str, Value]:
        """What the rule found: the fields it reads; of its cause the conversion, the event's name and paths, or its kind."""
        read = self._fields_read(rule.fields)
        fact = next(fact for key, fact in self.facts if key == cause)
        if fact.kind == "event":
            read |= _event_read(fact, rule.paths)
            for found in self._recognised.get(cause, ()):
                if found.name in rule.conversions:
                    read["conversion"] = found.name
                    read |= found.read
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

    def _read_by(self, conversion: str, fact: Fact) -> dict[str, Value]:
        rule = self._version.conversions[conversion]
        read = _event_read(fact, rule.paths)
        return read | self._fields_read(rule.fields) if rule.fields else read

    def moved(self, rule: Rule, read_by: Sequence[bytes]) -> None:
        """Note that this rule moved the subject, having read these facts: the conversions among them advanced it (rule 1)."""
        for key in read_by:
            for found in self._recognised.get(key, ()):
                found.advanced = found.advanced or found.name in rule.conversions

    def conversions(self, instant: int) -> list[Match]:
        """The conversions of this instant, with whether they moved the subject."""
        return [
            Match(
                name=found.name,
                fact=key,
                effective_at=instant,
                counted=found.counted,
                advanced=found.advanced,
                read=found.read,
            )
            for key, recognised in self._recognised.items()
            for found in recognised
        ]


def _event_read(fact: Fact, paths: Sequence[str]) -> dict[str, Value]:
    read: dict[str, Value] = {"event": fact.name}
    for path in paths:
        if path in fact.values:
            read[path] = fact.values[path]
    return read
