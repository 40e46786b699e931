"""Signals: which events fire a rule, and what definitions want of an event.

The cost of an event that matches nothing does not grow with the definitions: signals are looked up by event name, and what an
event must carry is decided in ingest on the event alone, before it is sent on.
"""

from collections.abc import Callable, Iterable

from processors.classification.predicates import Memory, Orderings, Predicate, TypeOf, Values, always, compile_condition
from schemas.definitions import AllOf, AnyOf, Condition, FieldTest, Happened, Not, Signal
from schemas.facts import Fact

Fires = Callable[[Fact, Values, Memory], bool]


def conditions_in(condition: Condition | None) -> Iterable[FieldTest | Happened]:
    """The leaves of a condition."""
    match condition:
        case None:
            return
        case FieldTest() | Happened():
            yield condition
        case Not(part=part):
            yield from conditions_in(part)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from conditions_in(part)


def fields_in(condition: Condition | None) -> tuple[str, ...]:
    """The fields or event paths a condition reads, in the order they are written."""
    return tuple(dict.fromkeys(leaf.field for leaf in conditions_in(condition) if isinstance(leaf, FieldTest)))


def conversions_in(condition: Condition | None) -> tuple[str, ...]:
    """The conversions a condition asks for with `happened`."""
    return tuple(name for leaf in conditions_in(condition) if isinstance(leaf, Happened) for name in leaf.conversions)


def compile_signal(signal: Signal, orderings: Orderings, type_of: TypeOf) -> Fires | None:
    """Whether an event of one of the signal's names fires it, given the state at its instant; None: every one does."""
    where = compile_condition(signal.where, orderings, lambda _: None)
    condition = compile_condition(signal.condition, orderings, type_of)
    if where is always and condition is always:
        return None
    return lambda fact, values, memory: (
        where(fact.values, memory, fact.occurred_at) and condition(values, memory, fact.occurred_at)
    )


class EventUse:
    """What definitions want of one event name: the paths they read, and whether an event with these values can matter.

    Paths that are kept without being tested (of segments, amounts, sessions) decide nothing about that.
    """

    __slots__ = ("_wheres", "paths")

    def __init__(self, signals: Iterable[Signal], orderings: Iterable[Orderings], kept: Iterable[str] = ()) -> None:
        wheres: list[Predicate] = []
        paths: dict[str, None] = {}
        for signal, known in zip(signals, orderings, strict=True):
            wheres.append(compile_condition(signal.where, known, lambda _: None))
            paths.update(dict.fromkeys(fields_in(signal.where)))
        paths.update(dict.fromkeys(kept))
        self._wheres = () if always in wheres else tuple(wheres)  # none: every event of the name passes
        self.paths = tuple((path, tuple(path.split(".")[1:])) for path in paths)

    def wants(self, values: Values) -> bool:
        """Whether any signal of this event name passes on the event alone; if none does the event is dropped in ingest."""
        return not self._wheres or any(where(values, {}, 0) for where in self._wheres)
