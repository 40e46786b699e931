"""Large hostile records: they end like any other, and their cost is in proportion to their size.

Cost is counted, never timed: calls of functions, bytes held at once, bytes digested. docs/reliability.md has the seconds.
"""

import json
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from msgspec.structs import replace

from processors.sources import hubspot_events, parsing
from processors.topology.deadletters import KEPT_OF_OVERSIZED
from processors.topology.effects import Publish
from processors.topology.ingest import Ingest
from schemas.facts import LONGEST_TEXT
from schemas.instants import MILLISECOND
from tests.whole_path import WORLD, drive, source_record
from tests.worlds import START

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024
BYTES_HELD_PER_BYTE = 150
"""A merged id of five digits becomes a statement of 800 bytes, an empty object takes two bytes of JSON and 72 of memory."""
FIXED_BYTES = 256 * 1024

CHANGE = {"subscriptionType": "contact.propertyChange", "objectId": 1, "occurredAt": START // MILLISECOND}
GOOD = json.dumps(CHANGE | {"propertyName": "plan", "propertyValue": "pro"})
ORDER = '{"kind":"order","paid":true,"at":1767225600,"customer":{"id":"u1"},"sum":"9.50"}'
OTHER = '{"kind":[]}'


def track(rest: str) -> str:
    return f'{{"type":"track","event":"Demo","userId":"u1",{rest}}}'


def identify(rest: str) -> str:
    return f'{{"type":"identify","userId":"u1","traits":{{{rest}}}}}'


def webhook(**changes: Any) -> str:
    return json.dumps(CHANGE | changes)


def repeated(piece: str, size: int) -> str:
    return ",".join([piece] * (size // (len(piece) + 1)))


def distinct(size: int) -> str:
    return ",".join(f'"k{index}":1' for index in range(size // 10))


Build = Callable[[int], str]
LARGE: dict[str, tuple[str, Build]] = {
    "open brackets": ("web", lambda size: "[" * size),
    "open objects": ("crm", lambda size: '{"a":' * (size // 5)),
    "nested in an event": ("web", lambda size: track('"x":' + "[" * (size // 2) + "]" * (size // 2))),
    "nested in an event nobody uses": ("web", lambda size: track('"event":"-","x":' + "[" * (size // 2) + "]" * (size // 2))),
    "small elements": ("web", lambda size: track(f'"x":[{repeated("1", size)}]')),
    "empty arrays": ("web", lambda size: track(f'"x":[{repeated("[]", size)}]')),
    "empty objects": ("web", lambda size: track(f'"x":[{repeated("{}", size)}]')),
    "many keys": ("web", lambda size: track(distinct(size))),
    "one key again and again": ("web", lambda size: track(repeated('"event":"Demo"', size))),
    "one key, huge": ("web", lambda size: track(f'"{"k" * size}":1')),
    "many digits": ("web", lambda size: identify('"score":' + "9" * size)),
    "many digits in a text": ("web", lambda size: identify(f'"score":"{"9" * size}","budget":"{"9" * 30}"')),
    "many decimals in a text": ("web", lambda size: identify(f'"budget":"0.{"1" * size}"')),
    "a long text that is read": ("web", lambda size: identify(f'"plan":"{"é" * (size // 2)}"')),
    "a long text that is tested": ("web", lambda size: track(f'"event":"Order","properties":{{"note":"{"a" * size}"}}')),
    "a long path around many keys": ("web", lambda size: identify(f'"{"k" * (size // 2)}":{{{distinct(size // 2)}}}')),
    "many traits": ("web", lambda size: identify(distinct(size))),
    "bad elements": ("crm", lambda size: f"[{repeated('1', size)}]"),
    "bad elements behind a good one": ("crm", lambda size: f"[{GOOD},{repeated('{}', size)}]"),
    "many ids merged": (
        "crm",
        lambda size: webhook(subscriptionType="contact.merge", primaryObjectId=0, mergedObjectIds=[*range(1, size // 8)]),
    ),
    "a long name of a property": ("crm", lambda size: webhook(propertyName="n" * size, propertyValue=[])),
    "a long value of a property": ("crm", lambda size: webhook(propertyName="plan", propertyValue="\x01" * (size // 6))),
    "a long source of a change": ("crm", lambda size: webhook(propertyName="plan", propertyValue="", changeSource="S" * size)),
    "a long type": ("crm", lambda size: webhook(subscriptionType=f"{'t' * size}.propertyChange")),
    "many orders": ("shop", lambda size: f"[{repeated(ORDER, size)}]"),
    "many orders of another shape": ("shop", lambda size: f"[{repeated(OTHER, size)}]"),
    "one order among bad ones": ("shop", lambda size: f"[{ORDER},{repeated('7', size)}]"),
    "an order with much that nobody reads": ("shop", lambda size: f'[{ORDER[:-1]},"x":[{repeated("[]", size)}]}}]'),
    "many properties": ("crm", lambda size: f'{{"id":1,"properties":{{"email":"","plan":"pro",{distinct(size)}}}}}'),
}
"""By what is large: the source, and a record of about so many bytes."""

DEAR = {"one order among bad ones", "bad elements", "bad elements behind a good one", "empty arrays", "many ids merged"}
"""Those that take seconds at a megabyte; their cost is in proportion all the same, see below."""

each = pytest.mark.parametrize("name", LARGE)


def built(name: str, size: int) -> tuple[str, bytes]:
    source, build = LARGE[name]
    value = build(size).encode()
    assert size / 2 < len(value) < size * 1.2 + 200
    return source, value


@each
def test_a_record_of_a_megabyte_ends_like_any_other(name: str) -> None:
    source, value = built(name, 200_000 if name in DEAR else 900_000)
    assert len(value) <= WORLD.program.record_bytes
    drive([source_record(source, value)])


@pytest.mark.parametrize("source", ["web", "crm", "shop"])
def test_a_record_of_five_megabytes_is_known_by_its_beginning(source: str) -> None:
    (letter,) = drive([source_record(source, track(f'"x":"{"y" * 5 * MEGABYTE}"').encode())])
    assert len(letter.value or b"") == KEPT_OF_OVERSIZED


def ingest(source: str, value: bytes) -> list[Publish]:
    return Ingest(WORLD.program)(source_record(source, value)).published


def calls_of(source: str, value: bytes) -> int:
    """Calls of functions, of Python and of C, that ingest makes."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        ingest(source, value)
    finally:
        sys.setprofile(None)
    return calls


@each
def test_work_grows_no_faster_than_the_record(name: str) -> None:
    small, large = (calls_of(*built(name, size)) for size in (16_000, 64_000))
    assert large <= 4.4 * small + 100


@each
def test_memory_is_in_proportion_to_the_record(name: str) -> None:
    source, value = built(name, 64_000)
    ingest(source, value)
    tracemalloc.start()
    try:
        ingest(source, value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= BYTES_HELD_PER_BYTE * len(value) + FIXED_BYTES


def test_a_merge_digests_no_more_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest for each of its links, and none of them over what strays in the record beside the ids."""
    digested = 0

    def counted(content: Any) -> bytes:
        nonlocal digested
        digested += len(json.dumps(content))
        return parsing.digest(content)

    monkeypatch.setattr(hubspot_events, "digest", counted)
    merge = {"subscriptionType": "contact.merge", "primaryObjectId": 0, "mergedObjectIds": [*range(1, 1000)]}
    ingest("crm", webhook(**merge, propertyValue="x" * 100_000, propertyName="y" * 100_000).encode())
    assert digested < 200 * 1000


def test_a_long_text_is_kept_up_to_a_length_and_counted() -> None:
    effects = Ingest(WORLD.program)(source_record("web", identify(f'"plan":"{"é" * 5000}"').encode()))
    (fact,) = effects.published
    assert (fact.value or b"").decode(errors="ignore").count("é") == LONGEST_TEXT
    assert ("cut", "web") in effects.counts


@pytest.mark.parametrize(("key", "kept"), [(b"k" * KEPT_OF_OVERSIZED, KEPT_OF_OVERSIZED), (b"k" * 900_000, KEPT_OF_OVERSIZED)])
def test_of_a_huge_key_the_beginning_is_kept(key: bytes, kept: int) -> None:
    """Facts carry neither key nor headers; a dead letter with both whole could be larger than Kafka takes."""
    (letter,) = Ingest(WORLD.program)(replace(source_record("web", b"-"), key=key)).published
    assert letter.key == key[:kept]
    said = dict(letter.headers).get("dead-letter-key-size")
    assert said == (None if len(key) <= kept else b"900000")


def test_of_huge_headers_the_first_are_kept() -> None:
    headers = [(f"h{index}", b"v" * 1000) for index in range(900)]
    (letter,) = Ingest(WORLD.program)(replace(source_record("web", b"-"), headers=headers)).published
    kept = [header for header in letter.headers if not header[0].startswith("dead-letter-")]
    assert kept == headers[:65]
    assert dict(letter.headers)["dead-letter-headers-left-out"] == b"835"
