"""What an event must carry to be worth a hop, and the index that finds what it is (design, section 3)."""

import msgspec
import pytest

from processors.classification.counting import Classifier
from processors.classification.signals import EventUse, conversions_in, fields_in
from schemas.conditions import Signal
from schemas.definitions import Conversion
from schemas.grammar import read_conditions, read_signal
from tests.worlds import fact


def signal(**written: object) -> Signal:
    read = read_signal({name.replace("__", "."): value for name, value in written.items()})
    assert read is not None
    return read


PLAN = signal(event="Signup", event__properties__plan="pro")
SEATS = signal(event="Signup", event__properties__seats={"above": 9}, event__page={"exists": False})
ANY = signal(event="Signup", **{"if": {"lead.status": "open"}})


@pytest.mark.parametrize(
    ("signals", "values", "wanted"),
    [
        ([PLAN], {"event.properties.plan": "pro"}, True),
        ([PLAN], {"event.properties.plan": "free"}, False),
        ([PLAN], {}, False),
        ([PLAN, SEATS], {"event.properties.seats": 10}, True),
        ([SEATS], {"event.properties.seats": 10, "event.page": "home"}, False),
        ([PLAN, ANY], {}, True),
    ],
)
def test_an_event_is_wanted_if_any_signal_passes_on_the_event_alone(
    signals: list[Signal], values: dict[str, str | int], wanted: bool
) -> None:
    """State (`if`) is not known in ingest: it never drops an event."""
    assert EventUse(signals, [{}] * len(signals)).wants(values) is wanted


def test_the_paths_to_keep_of_an_event_are_those_that_signals_read() -> None:
    use = EventUse([PLAN, SEATS, ANY, PLAN], [{}] * 4)
    assert dict(use.paths) == {
        "event.properties.plan": ("properties", "plan"),
        "event.properties.seats": ("properties", "seats"),
        "event.page": ("page",),
    }


def test_what_a_condition_reads_in_the_order_it_is_written() -> None:
    (condition,) = read_conditions(
        {"lead.b": 1, "any": [{"lead.a": 1}, {"not": {"lead.b": 2, "happened": ["x", "y"]}}], "happened": "z"}
    )
    assert (fields_in(condition), conversions_in(condition)) == (("lead.b", "lead.a"), ("x", "y", "z"))
    assert (fields_in(None), conversions_in(None)) == ((), ())


def test_only_conversions_of_the_event_s_name_are_judged() -> None:
    """The cost of an event must not grow with the number of definitions."""
    judged: list[str] = []

    class Spy(dict):
        def get(self, key: str, default: object = None) -> object:
            judged.append(key)
            return default

    many = [
        Conversion.model_validate({"name": f"c{n}", "description": "-", "when": {"event": f"E{n}", f"event.properties.p{n}": 1}})
        for n in range(50)
    ]
    classify = Classifier(many, {}, lambda _: None)
    said = fact(0, "E7")
    assert classify(msgspec.structs.replace(said, values=Spy()), "", {}, {}) == []
    assert judged == ["event.properties.p7"]
