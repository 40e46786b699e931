"""Hostile records as hypothesis strategies: nearly right ones, since noise ends at the first check and reaches nothing behind it.

They are the sound records of the fuzzers' corpus, spoilt. They are written as JSON text and not from Python values, because much
of what is hostile has none: keys written twice, numbers of any size, halves of characters.
"""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from processors.sources.statement import SourceRecord
from schemas.instants import DAY, FIRST, LAST, MILLISECOND
from tests.shared_material import ROOT
from tests.worlds import START

Texts = st.SearchStrategy[str]

CORPUS = ROOT / "tests/fuzz/corpus"
SOUND = {
    "web": "segment/*.ndjson",
    "crm": "hubspot/*.ndjson",
    "shop": "mapping/shop-*.ndjson",
    "till": "mapping/till-*.ndjson",
    "depot": "mapping/depot-*.ndjson",
}
"""Where sound records of each source of tests/fuzz/world lie in the corpus, one a line."""

TIMES = [
    *("2026-01-01T00:00:00Z", "2026-01-01", "20260101", "1969-12-31T23:59:59Z", "1990-01-01", "1989-12-31T23:59:59.999999Z"),
    *("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+23:59", "10000-01-01", "0000-00-00"),
    *("2026-01-02T00:00:00.000001Z", "2026-02-30", "2026-01-01T24:00", "2026-W01-1", "1767225600000", "1767225600"),
    *("253402300799999", "253402300800000", "-62135596800000", "-62135596800001", "9" * 18, "-1", "0"),
]
"""Instants as texts: ordinary, at the edges of what can be written, beyond them, and further than `limits.future` after START."""
NUMBERS = [
    *("0", "-0", "1", "7", "3.0", "1e3", "99.5", "1e-400", "1e308", "1e400", "-1E+999999999", "NaN", "Infinity", "-Infinity"),
    *(str(2**53 + 1), str(2**63), str(-(2**63) - 1), str(2**64), "9" * 40, "9" * 4300, "-" + "9" * 4301, "0." + "0" * 400 + "1"),
    *("1767225600000", "253402300799999", "253402300800000", "-1", "1.5"),
]
"""Numbers as JSON writes them, or does not."""
WORDS = [
    *("", " ", "u1", " u1 ", "null", "true", "TRUE", "pro", "team", "customer", "parked", "x", "aab", "a@b.example", "x.test"),
    *("\x00", "\u2028", "\U0010ffff", "é", "e\u0301", "٣", "x" * 513, "y" * 5000, "[object Object]", "a.b", "__proto__"),
]
NOT_JSON = ['"\\ud800"', '"\\udfff\\ud800"', '"\\x"', "'a'", '"', "", "undefined", "tru", "/*1*/1"]
"""What parsers disagree on, or refuse."""
NESTED = [
    *("[]", "{}", "[[]]", '{"":{"":{}}}', '{"a.b":{"c":1},"a":{"b.c":2}}', "[1,[2,{}]]", '{"id":"s1"}', '{"name":"spring"}'),
    *("[" * 70 + "]" * 70, '{"a":' * 63 + "1" + "}" * 63, "[" * 10_000 + "]" * 10_000, "[" * 200),
]

values: Texts = (
    st.sampled_from([*map(json.dumps, TIMES + WORDS + NUMBERS), *NUMBERS, *NOT_JSON, *NESTED])
    | st.sampled_from(["null", "true", "false"])
    | st.text(max_size=8).map(json.dumps)
    | st.integers().map(str)
    | st.floats().map(json.dumps)
)
"""One value of a field, as JSON text: of the wrong type, size, shape, or no JSON at all."""


def sound(source: str) -> list[dict[str, Any]]:
    """The sound records of a source; of lists their elements."""
    lines = [line for file in sorted(CORPUS.glob(SOUND[source])) for line in file.read_text().splitlines()]
    written = [json.loads(line) for line in lines]
    if source == "depot":
        written = [truck["parcels"] for body in written for truck in body["load"]["trucks"]]
    flat = [element for body in written for element in (body if isinstance(body, list) else [body])]
    return [element for element in flat if isinstance(element, dict)]


def object_of(pairs: Sequence[tuple[str, str]]) -> str:
    """An object of these pairs, in their order; a key that comes twice is written twice."""
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in pairs) + "}"


def _spoilt(record: dict[str, Any], changes: Sequence[tuple[str, str]], first: bool) -> str:
    own = [(key, json.dumps(value)) for key, value in record.items()]
    return object_of([*changes, *own] if first else [*own, *changes])


@functools.cache
def bodies(source: str) -> Texts:
    """Sound records with a few fields of any kind before or behind their own; in lists where the source has such."""
    known = sound(source)
    outer = st.sampled_from(sorted({key for record in known for key in record})) | st.text(max_size=3)
    holders = [value for record in known for value in record.values() if isinstance(value, dict)]
    inner = st.sampled_from(sorted({key for holder in holders for key in holder} | {"deep.er", "device.type"}))
    below = st.lists(st.tuples(inner, values), min_size=1, max_size=3).map(object_of)
    change = st.tuples(outer, values) | st.tuples(st.sampled_from(["traits", "properties", "context"]), below)
    one = st.builds(_spoilt, st.sampled_from(known), st.lists(change, max_size=3), st.booleans())
    many = st.lists(one | values, max_size=4).map(lambda elements: f"[{','.join(elements)}]")
    trucks = st.lists(many.map('{{"parcels":{}}}'.format) | values, min_size=1, max_size=3)
    loaded = trucks.map(lambda trucks: f'{{"load":{{"trucks":[{",".join(trucks)}]}}}}')
    return {"web": one, "crm": one | many, "shop": many, "till": one, "depot": loaded}[source]


SPOILS: list[Callable[[bytes], bytes | None]] = [
    *[lambda value: value] * 10,
    lambda value: value.decode().encode("utf-16"),
    lambda value: b"\xef\xbb\xbf" + value,
    lambda value: b"\x00\x00\x00\x00\x01" + value,
    lambda value: value[: len(value) // 2],
    lambda value: value.replace(b"u", b"\xff"),
    lambda value: None,
]
"""What happens to a whole record: mostly nothing."""


def values_of(source: str) -> st.SearchStrategy[bytes | None]:
    """What a record holds: mostly a body, now and then one in another encoding or cut short, or nothing."""
    return st.builds(lambda spoil, body: spoil(body.encode()), st.sampled_from(SPOILS), bodies(source))


KAFKA_TIMES = [*[START] * 40, START + DAY, 0, -1 * MILLISECOND, FIRST, FIRST - 1, LAST, LAST + 1, 2**63 * 1000, -(2**63) * 1000]
"""Microseconds; -1 ms is what a client says of a record without a time."""
HEADERS = [("traceparent", b"00-1"), ("dead-letter-reason", b"\x80"), ("", None), ("ce_id", b""), ("\u2028", b"\xff")]


def _record(source: str) -> st.SearchStrategy[SourceRecord]:
    return st.builds(
        SourceRecord,
        source=st.just(source),
        topic=st.just(f"{source}.topic"),
        partition=st.just(0),
        offset=st.just(0),
        timestamp=st.sampled_from(KAFKA_TIMES),
        key=st.sampled_from([None, None, b"", b"\xff\xfe", b"k" * 1000]),
        value=values_of(source),
        headers=st.sampled_from([(), (), *((header,) for header in HEADERS), HEADERS]),
    )


def _numbered(records: Sequence[SourceRecord]) -> list[SourceRecord]:
    return [replace(record, offset=offset) for offset, record in enumerate(records)]


records = st.lists(st.one_of(*map(_record, SOUND)), min_size=1, max_size=5).map(_numbered)
"""A few records of all sources, in the order of their offsets."""
