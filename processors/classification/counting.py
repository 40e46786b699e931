"""Conversions: which of them an event is, and whether each is counted or a repeat (rules 1 to 3)."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from processors.classification.predicates import Memory, Orderings, TypeOf, Values
from processors.classification.signals import Fires, compile_signal
from schemas.definitions import Conversion, Count
from schemas.facts import Fact, is_missing
from schemas.instants import DAY

SESSION = "event.session_id"
"""The path of an event that names its session."""
_SESSIONS_KEPT = DAY
"""A session is remembered for this long after its last match, in microseconds: none of a tracker lasts longer."""
_MOST_SESSIONS = 64
"""Of one conversion that are remembered, the latest ones: a tracker that names a new session on every page is no visitor's."""


class _Conversion(msgspec.Struct, frozen=True):
    name: str
    exclusive: str | None
    counting: Count
    every: bool
    signals: Sequence[Fires]
    """Any of these must fire; none where every event of the name is one."""


class Classifier:
    """The conversions of one funnel."""

    def __init__(self, conversions: Sequence[Conversion], orderings: Orderings, type_of: TypeOf) -> None:
        self._by_event: dict[str, list[_Conversion]] = {}
        for conversion in conversions:
            compiled = [(signal, compile_signal(signal, orderings, type_of)) for signal in conversion.when if signal.events]
            for event in dict.fromkeys(event for signal, _ in compiled for event in signal.events):
                signals = [fires for signal, fires in compiled if event in signal.events]
                conditional = [] if None in signals else [fires for fires in signals if fires is not None]
                entry = _Conversion(
                    conversion.name, conversion.exclusive, conversion.count, conversion.count.method == "every", conditional
                )
                self._by_event.setdefault(event, []).append(entry)

    def __call__(self, fact: Fact, deal: str, values: Values, memory: Memory) -> Sequence[tuple[str, bool]]:
        """The conversions that this event is, in file order, each with whether it counts.

        Of an exclusive group only the first match in file order is one (rule 2).

        Args:
            fact: The event.
            deal: That it belongs to; empty for none.
            values: Of the subject, and of the deal.
            memory: Keeps the instant of the last counted match of each conversion, and what else its counting needs.
        """
        found: list[tuple[str, bool]] = []
        taken: list[str] = []
        for conversion in self._by_event.get(fact.name, ()):
            if conversion.exclusive in taken or (
                conversion.signals and not any(fires(fact, values, memory) for fires in conversion.signals)
            ):
                continue
            if conversion.exclusive is not None:
                taken.append(conversion.exclusive)
            counted = conversion.every or _counts(conversion, fact, deal, memory)
            if counted:
                memory[conversion.name] = fact.occurred_at
            found.append((conversion.name, counted))
        return found


def _counts(conversion: _Conversion, fact: Fact, deal: str, memory: Memory) -> bool:
    """Whether a match counts; the others are published as repeats (rule 3)."""
    method = conversion.counting.method
    if method == "once_per_lead":
        return conversion.name not in memory
    if method == "once_per_window":
        last = memory.get(conversion.name)
        return last is None or fact.occurred_at >= last + (conversion.counting.window or 0)
    if method == "once_per_deal":
        return _first_of(_key(conversion.name, "deal", deal), fact.occurred_at, memory)
    session = fact.values.get(SESSION)
    if is_missing(session):
        return True  # no session to repeat in
    _forget_sessions(conversion.name, fact.occurred_at, memory)
    key = _key(conversion.name, "session", str(session))
    first = key not in memory
    memory[key] = fact.occurred_at
    return first


def _first_of(key: str, instant: int, memory: Memory) -> bool:
    if key in memory:
        return False
    memory[key] = instant
    return True


def _key(conversion: str, what: str, name: str) -> str:
    """A bounded name in the memory, which no conversion can have."""
    return f"{conversion}\0{what}\0{blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


def _forget_sessions(conversion: str, now: int, memory: Memory) -> None:
    """So that what is remembered of a lead does not grow with its visits (invariant 8)."""
    prefix = f"{conversion}\0session\0"
    sessions = sorted((at, key) for key, at in memory.items() if key.startswith(prefix))
    for number, (at, key) in enumerate(reversed(sessions), 1):
        if number >= _MOST_SESSIONS or at < now - _SESSIONS_KEPT:
            del memory[key]
