"""Rows that do not belong to offsets, topics or definitions are refused (ER-3, ER-25)."""

import pytest

from processors.engine.mark import Mark, check, encode
from processors.engine.stop import Stop

MINE = Mark(0, "sha256:mine", 4)
WRITTEN = encode(Mark(12, "sha256:mine", 4))


def test_rows_that_belong_are_taken() -> None:
    check(None, None, MINE, "facts partition 0")
    check(WRITTEN, 12, MINE, "facts partition 0")


@pytest.mark.parametrize(
    ("row", "committed", "code", "said"),
    [
        (WRITTEN, None, 3, "says no offset"),
        (WRITTEN, 11, 3, "says offset 11"),
        (WRITTEN, 13, 3, "says offset 13"),
        (None, 12, 3, "holds no state"),
        (encode(Mark(12, "sha256:mine", 8)), 12, 3, "8 partitions"),
        (encode(Mark(12, "sha256:theirs", 4)), 12, 1, "sha256:theirs"),
    ],
)
def test_er25_what_does_not_belong_is_refused(row: bytes | None, committed: int | None, code: int, said: str) -> None:
    with pytest.raises(Stop, match=said) as refused:
        check(row, committed, MINE, "facts partition 0")
    assert refused.value.code == code
    assert "facts partition 0" in refused.value.sentence
