"""Rows that do not belong to offsets or topics are refused (ER-3, ER-25)."""

import pytest

from processors.engine.mark import Mark, check, check_unread, encode
from processors.engine.offsets import Bounds
from processors.engine.stop import Stop

WRITTEN = encode(Mark(12, "sha256:mine", 4))


def test_rows_that_belong_are_taken() -> None:
    assert check(None, None, 4, "facts partition 0") is None
    assert check(WRITTEN, 12, 4, "facts partition 0") == Mark(12, "sha256:mine", 4)


@pytest.mark.parametrize(
    ("row", "committed", "code", "said"),
    [
        (WRITTEN, None, 3, "says no offset"),
        (WRITTEN, 11, 3, "says offset 11"),
        (WRITTEN, 13, 3, "says offset 13"),
        (None, 12, 3, "holds no state"),
        (encode(Mark(12, "sha256:mine", 8)), 12, 3, "8 partitions"),
    ],
)
def test_er25_what_does_not_belong_is_refused(row: bytes | None, committed: int | None, code: int, said: str) -> None:
    with pytest.raises(Stop, match=said) as refused:
        check(row, committed, 4, "facts partition 0")
    assert refused.value.code == code
    assert "facts partition 0" in refused.value.sentence


def test_er25_facts_that_were_deleted_unread_are_named() -> None:
    check_unread(Bounds(12, 12), None, "facts partition 0")
    check_unread(Bounds(13, 13), 12, "facts partition 0")  # nothing but the marker of the transaction that was read last
    with pytest.raises(Stop, match=r"facts partition 0: .* facts from 12 to 19 were deleted unread") as refused:
        check_unread(Bounds(20, 20), 12, "facts partition 0")
    assert refused.value.code == 3


def test_er25_facts_that_were_made_anew_are_named() -> None:
    """The offsets mean other records now; those that the group has not read lie below its offset."""
    check_unread(Bounds(0, 12), 12, "facts partition 0")
    with pytest.raises(Stop, match=r"up to offset 12, but it ends at offset 11: the topic was made anew") as refused:
        check_unread(Bounds(0, 11), 12, "facts partition 0")
    assert refused.value.code == 3
