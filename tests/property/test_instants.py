"""Instants: whatever is written is what `datetime` writes, without digits that say nothing, and reads back as it was."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.instants import FIRST, LAST, MILLISECOND, MINUTE, SECOND, format_instant, parse_instant

STEPS = st.sampled_from((1, MILLISECOND, SECOND, MINUTE))


@given(st.integers(FIRST, LAST), STEPS)
@example(FIRST, 1)
@example(LAST, 1)
@example(-1, 1)
def test_an_instant_is_written_as_iso_8601_and_read_back(instant: int, step: int) -> None:
    instant -= instant % step
    text, moment = format_instant(instant), datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    timespec = "microseconds" if instant % MILLISECOND else "milliseconds" if instant % SECOND else "seconds"
    assert text == moment.isoformat(timespec=timespec).replace("+00:00", "Z")
    assert parse_instant(text) == instant
