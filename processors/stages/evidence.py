"""What happened at one instant, and what a rule read of it: the evidence that every move carries.

Conversions are recognised and signals judged here, once; a move then names the facts that its rule read, lowest order
first, and the values it found, so that every number can be explained down to the events behind it. A timer's evidence are the
facts that armed it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from processors.stages.captured import NO_VALUE, money, segment_value
from processors.stages.rules import Rule, SegmentRule
from processors.stages.state import FunnelState, Glance
from processors.stages.timeline import OWN, Match, Money
from processors.stages.version import Version
from schemas.facts import Fact, Value
from schemas.instants import format_instant

KeyedFact = tuple[bytes, Fact]
"""A fact with its key (`schemas.facts.fact_key`), so that evidence can name it without holding it."""

_ON_OWN = (OWN,)


class Due(msgspec.Struct, frozen=True, gc=False):
    """A timer that fires: whose it is, what it was armed for (a rule, or a field that passes), and the fact that armed it."""

    deal: str
    name: str
    cause: bytes
    missed: bool = False
    """Whether it is a service level that is missed, which ends nothing."""


class Evidence:
    """The facts of one instant, or the timers that are due at it, with what they match and fire in one funnel.

    Conversions are recognised in the order of the facts, so `if: {happened: ...}` sees those of lower order at the same instant.

    Attributes:
        facts: Sorted by event time, source order and id; none where timers fire.
        due: The timers; none where there are facts.
        fired: Names of the rules whose `when` fires now, by track, with the lowest fact that fires it.
        deleted: The records that were deleted at this instant: deals by their identifiers, the subject's own by an empty text.
    """

    __slots__ = ("_advanced", "_recognised", "_state", "_version", "deleted", "due", "facts", "fired")

    def __init__(
        self, state: FunnelState | Glance, facts: Sequence[KeyedFact], version: Version, due: Sequence[Due] = ()
    ) -> None:
        """Recognise conversions and judge signals; `state` holds the values after all facts of the instant."""
        self._state = state
        self._version = version
        self._recognised: dict[bytes, Sequence[tuple[str, bool]]] = {}
        self._advanced: Collection[tuple[bytes, str]] = ()
        self.facts = facts
        self.due = due
        self.fired: dict[str, dict[str, bytes]] = {}
        self.deleted: Collection[str] = ()
        for key, fact in facts:
            if fact.kind == "event":
                self._recognise(key, fact)
            elif fact.kind == "delete":
                self.deleted = {*self.deleted, fact.deal}
        if version.fired_by or version.touching:
            for key, fact in facts:  # when all of the instant are recognised, which `happened` sees
                if fact.kind == "event":
                    fires = self._signal(key, fact)
                    if version.touching:
                        self._touch(key, fact, fires=fires)

    def _recognise(self, key: bytes, fact: Fact) -> None:
        """Which conversions an event is; those latch rules, on the subject or on the deals that the event may concern."""
        version, state = self._version, self._state
        deal = self.deal_of(fact)
        matches = version.classify(fact, deal, self.values(deal), state.memory)
        if not matches:
            return
        self._recognised[key] = matches
        for name, _ in matches:
            for rule in version.latched_by.get(name, ()):
                for track in self._concerned(rule, fact):
                    self._fire(track, rule, key)

    def _signal(self, key: bytes, fact: Fact) -> bool:
        """Fire the rules that an event is a signal of, conversions aside; returns whether there are any."""
        fires = False
        for rule in self._version.fired_by.get(fact.name, ()):
            for track in self._fires(rule, fact):
                self._fire(track, rule, key)
                fires = True
        return fires

    def _fire(self, track: str, rule: Rule, key: bytes) -> None:
        fired = self.fired.get(track)
        if fired is None:
            self.fired[track] = {rule.name: key}
        elif rule.name not in fired:
            fired[rule.name] = key

    def _concerned(self, rule: Rule, fact: Fact) -> Iterable[str]:
        """The tracks that an event may fire a rule on: the subject's own, or the deal it names, else every live deal."""
        if not rule.of_deals:
            return _ON_OWN
        if fact.deal:
            return (fact.deal,) if fact.deal in self._state.deals else ()
        return [name for name, deal in self._state.deals.items() if not deal.track.deleted]

    def _fires(self, rule: Rule, fact: Fact) -> Iterator[str]:
        """The tracks on which an event fires a signal of the rule; conversions aside."""
        for track in self._concerned(rule, fact):
            values = self.values(track)
            if any(fires is None or fires(fact, values, self._state.memory) for fires in rule.fires.get(fact.name, ())):
                yield track

    def deal_of(self, fact: Fact) -> str:
        """The deal that an event belongs to: the one it names, else the only one that is live."""
        deals = self._state.deals
        if fact.deal or not deals:
            return fact.deal
        live = [name for name, deal in deals.items() if not deal.track.deleted]
        return live[0] if len(live) == 1 else OWN

    def values(self, track: str) -> Mapping[str, Value]:
        """What rules see of a track: the subject's values, and the deal's where it is one."""
        own = self._state.own.values
        deal = self._state.deals.get(track) if track else None
        return own if deal is None else {**own, **deal.track.values}

    # --- what a rule read ------------------------------------------------------------------------------------------

    def read_by(self, rule: Rule, deals: Collection[str] | None = None) -> list[bytes]:
        """Keys of the facts that the rule read, lowest order first; the lowest fact of the instant where it read none of them.

        Args:
            rule: That decided.
            deals: Of a rule on deals, those that count; None for all.
        """
        if self.due:
            counting = [each for each in self.due if deals is None or not rule.of_deals or not each.deal or each.deal in deals]
            named = [each.cause for each in counting if each.name == rule.name or each.name in rule.fields]
            return named or [(counting or self.due)[0].cause]
        if len(self.facts) == 1:
            return [self.facts[0][0]]
        return [key for key, fact in self.facts if self._reads(rule, key, fact, deals)] or [self.facts[0][0]]

    def _reads(self, rule: Rule, key: bytes, fact: Fact, deals: Collection[str] | None) -> bool:
        if deals is not None and fact.deal and rule.of_deals and fact.deal not in deals:
            return False
        if fact.kind == "event":
            if any(name in rule.conversions for name, _ in self._recognised.get(key, ())):
                return True
            return fact.name in rule.fires and any(True for _ in self._fires(rule, fact))
        return fact.kind in ("delete", "restore") or any(field in fact.values for field in rule.fields)

    def ends(self, rule: Rule) -> bool:
        """Whether a timer that is due ends what the rule holds by: its latch, or a date that it waits for."""
        return any(not each.missed and (each.name == rule.name or each.name in rule.passing) for each in self.due)

    def values_read(self, rule: Rule, cause: bytes, deal: str) -> dict[str, Value]:
        """What the rule found: the fields it reads; of its cause the conversion, the event's name and paths, or its kind."""
        read = self._shown(rule.fields, self.values(deal)) if rule.fields else {}
        fact = self.fact(cause)
        if fact is None:
            return read
        if fact.kind == "event":
            read |= _event_read(fact, rule.paths)
            for name, _ in self._recognised.get(cause, ()):
                if name in rule.conversions:
                    read["conversion"] = name
                    read |= self._conversion_read(name, fact)
                    break
        elif fact.kind != "change":
            read["record"] = fact.kind
        return read

    def fact(self, key: bytes) -> Fact | None:
        """The fact of this instant with that key; None for one that armed a timer."""
        if len(self.facts) == 1 and self.facts[0][0] == key:
            return self.facts[0][1]
        return next((fact for there, fact in self.facts if there == key), None)

    def _shown(self, fields: Sequence[str], values: Mapping[str, Value]) -> dict[str, Value]:
        """Values as they are published: instants as ISO 8601, like every time in a record."""
        times = self._version.times
        return {
            field: format_instant(value) if field in times and isinstance(value := values[field], int) else values[field]
            for field in fields
            if field in values
        }

    # --- segments and value ----------------------------------------------------------------------------------------

    def _touch(self, key: bytes, fact: Fact, *, fires: bool) -> None:
        """Snapshot the segments of first and last touch, if this event is one (rule 26).

        The dictionary is replaced, never changed: who holds the one from before can tell that it is the same.
        """
        names = {name for name, _ in self._recognised.get(key, ())}
        matched = fires or bool(names)
        state = self._state
        for segment in self._version.touching:
            if segment.rule == "first_touch" and segment.name in state.touches:
                continue
            if self._is_touch(segment, fact, matched) or not names.isdisjoint(segment.conversions):
                value = self._segment(segment, self.deal_of(fact), fact)
                if state.touches.get(segment.name) != value:
                    state.touches = {**state.touches, segment.name: value}

    def _is_touch(self, segment: SegmentRule, fact: Fact, matched: bool) -> bool:
        if segment.touches is None:
            return matched
        if fact.name not in segment.touches:
            return False
        fires = segment.touches[fact.name]
        return fires is None or fires(fact, self.values(self.deal_of(fact)), self._state.memory)

    def _segment(self, segment: SegmentRule, deal: str, fact: Fact | None) -> str:
        said = fact.values if fact is not None and fact.kind == "event" else {}
        return segment_value(segment, self.values(deal), said)

    def segments(self, deal: str, cause: bytes) -> dict[str, str]:
        """Every segment's value now: of its touch, or read at this moment of subject, deal and causing event."""
        return self._segments_with(deal, self.fact(cause)) if self._version.segments else {}

    def _segments_with(self, deal: str, fact: Fact | None) -> dict[str, str]:
        touches = self._state.touches
        return {
            segment.name: touches.get(segment.name, NO_VALUE)
            if segment.rule in ("first_touch", "last_touch")
            else self._segment(segment, deal, fact)
            for segment in self._version.segments
        }

    def value(self, deal: str) -> Money | None:
        """Amount and currency now, where the funnel captures them and both are there (rule 28)."""
        return money(self._version.value, self.values(deal)) if self._version.value is not None else None

    # --- conversions -----------------------------------------------------------------------------------------------

    def moved(self, rule: Rule, read_by: Sequence[bytes]) -> None:
        """Note that this rule moved the subject, having read these facts: the conversions among them advanced it (rule 1)."""
        for key in read_by:
            advanced = [(key, name) for name, _ in self._recognised.get(key, ()) if name in rule.conversions]
            self._advanced = {*self._advanced, *advanced}

    def conversions(self, instant: int) -> list[Match]:
        """The conversions of this instant, with whether they moved the subject; for when it has been judged."""
        return [
            self._match(name, key, fact, instant, counted=counted)
            for key, fact in self.facts
            for name, counted in self._recognised.get(key, ())
        ]

    def _match(self, name: str, key: bytes, fact: Fact, instant: int, *, counted: bool) -> Match:
        version, amount = self._version, self._version.conversions[name].value
        return Match(
            name=name,
            fact=key,
            effective_at=instant,
            version=version.number,
            counted=counted,
            advanced=(key, name) in self._advanced,
            read=self._conversion_read(name, fact),
            segments=self._segments_with(self.deal_of(fact), fact) if version.segments else {},
            value=money(amount, {**self.values(self.deal_of(fact)), **fact.values}) if amount is not None else None,
        )

    def _conversion_read(self, name: str, fact: Fact) -> dict[str, Value]:
        """What a conversion found: the event's name, the paths of it and the fields that it reads."""
        rule = self._version.conversions[name]
        read = _event_read(fact, rule.paths)
        return read | self._shown(rule.fields, self.values(self.deal_of(fact))) if rule.fields else read


def _event_read(fact: Fact, paths: Sequence[str]) -> dict[str, Value]:
    read: dict[str, Value] = {"event": fact.name}
    for path in paths:
        if path in fact.values:
            read[path] = fact.values[path]
    return read
