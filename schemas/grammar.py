"""How conditions, signals and counts are written in a file, read into their trees (definitions, Operators).

A `Reading` goes through what YAML gave and collects every mistake with its place below the start, so that one run
reports all of them. It also keeps each test it read with its place: checks that need to know where a test stands
(is this field known, is this value in the ordering) read the same text again and look at those.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from schemas.conditions import AllOf, AnyOf, Condition, FieldTest, Happened, Not, Signal
from schemas.field_names import COMBINING, event_complaint, is_event_field, is_state_field, state_complaint
from schemas.mistakes import Misshapen, Mistake, Path, one_of, shown, suggestion
from schemas.operators import COMPARISONS, WRITTEN, operand_complaint, unknown_operator

_T = TypeVar("_T")


class Reading:
    """One pass over written conditions and signals.

    Attributes:
        mistakes: What is wrong, with places.
        tests: Every field test read, with its place.
        happened: Every conversion named by `happened`, with its place.
        conversions: Every conversion named by a signal, with its place.
    """

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self.tests: list[tuple[Path, FieldTest]] = []
        self.happened: list[tuple[Path, str]] = []
        self.conversions: list[tuple[Path, str]] = []

    def conditions(self, raw: Any, path: Path = ()) -> tuple[Condition, ...]:
        """One condition or a list of them (any of)."""
        return self._one_or_many(raw, path, self.condition, "condition, such as {lead.status: open}")

    def signals(self, raw: Any, path: Path = ()) -> tuple[Signal, ...]:
        """One signal or a list of them (any of)."""
        return self._one_or_many(raw, path, self.signal, "signal, such as {event: Demo Requested}")

    def condition(self, raw: Any, path: Path = ()) -> Condition | None:
        """A state: a mapping whose keys must all hold."""
        if not isinstance(raw, dict) or not raw:
            self._wrong(path, f"{shown(raw)} is no condition: write a mapping, such as {{lead.status: open}}")
            return None
        parts: list[Condition] = []
        for key, value in raw.items():
            parts.extend(self._part(key, value, (*path, key)))
        return _all_of(parts)

    def signal(self, raw: Any, path: Path = ()) -> Signal | None:
        """An event, with tests on it and on state, or conversions."""
        if not isinstance(raw, dict) or not raw:
            self._wrong(path, f"{shown(raw)} is no signal: write {{event: NAME}} or {{conversion: NAME}}")
            return None
        if "event" not in raw and "conversion" not in raw:
            self._complain_of_no_event(raw, path)
            return None
        if "conversion" in raw:
            return self._conversion_signal(raw, path)
        where: list[Condition] = []
        for key, value in raw.items():
            if key not in ("event", "if"):
                where.extend(self._event_test(key, value, (*path, key)))
        state = self.condition(raw["if"], (*path, "if")) if "if" in raw else None
        events = self.texts(raw["event"], (*path, "event"))
        return Signal(events=events, where=_all_of(where), condition=state) if events else None

    def texts(self, raw: Any, path: Path = ()) -> tuple[str, ...]:
        """A text or a list of texts."""
        items = raw if isinstance(raw, list) else [raw]
        places = [(*path, index) for index in range(len(items))] if isinstance(raw, list) else [path]
        if not items:
            self._wrong(path, "the list is empty: write at least one name")
        for place, item in zip(places, items, strict=True):
            if not isinstance(item, str) or not item.strip():
                self._wrong(place, f"{shown(item)} is no text: write a name, in quotes if it looks like a number")
        return tuple(item for item in items if isinstance(item, str) and item.strip())

    def _one_or_many(self, raw: Any, path: Path, read: Callable[[Any, Path], _T | None], wanted: str) -> tuple[_T, ...]:
        if not isinstance(raw, list):
            one = read(raw, path)
            return () if one is None else (one,)
        if not raw:
            self._wrong(path, f"the list is empty: write at least one {wanted}")
        return tuple(item for index, value in enumerate(raw) if (item := read(value, (*path, index))) is not None)

    def _part(self, key: Any, value: Any, path: Path) -> list[Condition]:
        if key in ("all", "any"):
            return self._group(key, value, path)
        if key == "not":
            part = self.condition(value, path)
            return [] if part is None else [Not(part=part)]
        if key == "happened":
            return self._happened(value, path)
        if complaint := state_complaint(key):
            return self._wrong_key(path, complaint)
        return self._field_tests(key, value, path)

    def _group(self, key: str, value: Any, path: Path) -> list[Condition]:
        if not isinstance(value, list):
            self._wrong(path, f"`{key}` takes a list of conditions, such as {key}: [{{lead.status: open}}, {{lead.owner: u1}}]")
            return []
        parts = self.conditions(value, path)
        return [AllOf(parts=parts) if key == "all" else AnyOf(parts=parts)] if parts else []

    def _happened(self, value: Any, path: Path) -> list[Condition]:
        names = self.texts(value, path)
        self.happened.extend(self._placed(value, path, names))
        return [Happened(conversions=names)] if names else []

    def _conversion_signal(self, raw: dict[str, Any], path: Path) -> Signal | None:
        for key in raw:
            place = (*path, key)
            if key == "event":
                self._wrong_key(place, "event and conversion are two signals: write a list, [{event: ..}, {conversion: ..}]")
            elif key != "conversion":
                self._wrong_key(place, f"{key} cannot stand beside conversion: test it in the `when` of that conversion")
        names = self.texts(raw["conversion"], (*path, "conversion"))
        self.conversions.extend(self._placed(raw["conversion"], (*path, "conversion"), names))
        return Signal(conversions=names) if names else None

    def _complain_of_no_event(self, raw: dict[str, Any], path: Path) -> None:
        for key in raw:
            if not is_event_field(key) and (close := suggestion(str(key), ("event", "conversion", "if"))):
                self._wrong_key((*path, key), f"{key} is no key of a signal{close}")
                return
        if any(is_state_field(key) or key in COMBINING for key in raw):
            self._wrong(path, "a state stands under `when`: write it under `while`, or beside an event as `if`")
        else:
            self._wrong(path, "the signal names no event: write {event: NAME} or {conversion: NAME}")

    def _event_test(self, key: str, value: Any, path: Path) -> list[Condition]:
        if complaint := event_complaint(key):
            return self._wrong_key(path, complaint)
        return self._field_tests(key, value, path)

    def _field_tests(self, field: str, value: Any, path: Path) -> list[Condition]:
        if isinstance(value, dict):
            tests = self._operators(field, value, path)
        elif isinstance(value, list):
            tests = self._listed(field, value, path)
        elif value is None:
            self._wrong(path, f"{field} is tested against nothing: write {field}: {{exists: false}} for a missing value")
            tests = []
        else:
            tests = self._kept(path, FieldTest(field=field, operator="equals", operand=value))
        return list(tests)

    def _listed(self, field: str, values: list[Any], path: Path) -> list[FieldTest]:
        wrong = [index for index, value in enumerate(values) if not isinstance(value, str | bool | int | float)]
        for index in wrong:
            self._wrong((*path, index), f"{shown(values[index])} is no value: write texts, numbers, true or false")
        return [] if wrong else self._kept(path, FieldTest(field=field, operator="in", operand=tuple(values)))

    def _operators(self, field: str, tests: dict[str, Any], path: Path) -> list[FieldTest]:
        if not tests:
            self._wrong(path, f"the test of {field} is empty: write one, such as {{exists: true}}")
        ordering = self._ordering(tests, path)
        found: list[FieldTest] = []
        for written, operand in tests.items():
            place = (*path, written)
            operator = WRITTEN.get(written)
            if written == "of":
                continue
            if operator is None:
                self._wrong_key(place, unknown_operator(field, written))
            elif sentence := operand_complaint(operator, operand, ordered=ordering is not None):
                self._wrong(place, sentence)
            else:
                of = ordering if operator in COMPARISONS else None
                found += self._kept(place, FieldTest(field=field, operator=operator, operand=operand, ordering=of))
        return found

    def _ordering(self, tests: dict[str, Any], path: Path) -> str | None:
        if "of" not in tests:
            return None
        if not any(operator in COMPARISONS for operator in tests):
            self._wrong_key((*path, "of"), f"`of` belongs to {one_of(COMPARISONS)}: write {{at_least: VALUE, of: ORDERING}}")
        if isinstance(tests["of"], str):
            return tests["of"]
        self._wrong((*path, "of"), f"{shown(tests['of'])} is no ordering: write the name of one of `orderings`")
        return None

    def _kept(self, path: Path, test: FieldTest) -> list[FieldTest]:
        self.tests.append((path, test))
        return [test]

    def _placed(self, raw: Any, path: Path, names: tuple[str, ...]) -> list[tuple[Path, str]]:
        if not isinstance(raw, list):
            return [(path, name) for name in names]
        return [((*path, index), name) for index, name in enumerate(raw) if name in names]

    def _wrong(self, path: Path, sentence: str) -> None:
        self.mistakes.append(Mistake(path, sentence))

    def _wrong_key(self, path: Path, sentence: str) -> list[Condition]:
        self.mistakes.append(Mistake(path, sentence, of_key=True))
        return []


def _all_of(parts: list[Condition]) -> Condition | None:
    if len(parts) > 1:
        return AllOf(parts=tuple(parts))
    return parts[0] if parts else None


def read_conditions(raw: Any) -> tuple[Condition, ...]:
    """Conditions as a file writes them; a tuple is taken to be read already. Raises Misshapen."""
    return raw if isinstance(raw, tuple) else _read(raw, Reading.conditions)


def read_signals(raw: Any) -> tuple[Signal, ...]:
    """Signals as a file writes them; a tuple is taken to be read already. Raises Misshapen."""
    return raw if isinstance(raw, tuple) else _read(raw, Reading.signals)


def read_signal(raw: Any) -> Signal | None:
    """One signal as a file writes it. Raises Misshapen."""
    return raw if isinstance(raw, Signal) else _read(raw, Reading.signal)


def read_texts(raw: Any) -> tuple[str, ...]:
    """A text or a list of texts. Raises Misshapen."""
    return raw if isinstance(raw, tuple) else _read(raw, Reading.texts)


def _read(raw: Any, read: Callable[[Reading, Any], _T]) -> _T:
    reading = Reading()
    found = read(reading, raw)
    if reading.mistakes:
        raise Misshapen(reading.mistakes)
    return found
