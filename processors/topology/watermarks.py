"""Watermarks: how the time of a facts partition moves, and how it fires timers that no fact of their subject does.

Every source partition says how far it has been read; the partition's time is the smallest of what they said, once each has
spoken. So it follows from the log alone, and reading the log again fires the same timers at the same records (invariant 5).
"""

from itertools import islice

import msgspec

from processors.stages.timers import fire
from processors.topology import rows as row
from processors.topology.effects import Effects, FactsRecord, Publish, Rows
from processors.topology.present import Present, seen
from processors.topology.program import Program
from processors.topology.publishing import Publisher
from processors.topology.subject import Subject
from schemas.facts import Continue, Watermark

FIRED_AT_ONCE = 500
"""Timers that one record fires; where more are due the partition writes a message to itself and goes on with it (R4)."""

_encode = msgspec.msgpack.Encoder().encode


def as_of_in(rows: Rows) -> int:
    """Until when timers may fire in a partition, in microseconds; 0 before every source partition has spoken."""
    known = rows.get(row.WATERMARKS_KEY)
    return row.decode_watermarks(known).as_of if known is not None else 0


class Time:
    """Takes watermarks, and fires the timers that they make due."""

    def __init__(self, program: Program, publisher: Publisher) -> None:
        self._program = program
        self._publisher = publisher

    def __call__(self, message: Watermark | Continue, record: FactsRecord, rows: Rows, effects: Effects) -> None:
        """Add the effects of a watermark, or of going on with what an earlier one made due."""
        known = rows.get(row.WATERMARKS_KEY)
        time = row.decode_watermarks(known) if known is not None else row.Watermarks()
        if isinstance(message, Watermark):
            _note(time, message)
        effects.reached = time.as_of
        if self._fire(time, record, rows, effects):
            effects.published.append(Publish("facts", None, _encode(Continue()), [], partition=record.partition))
        else:
            time.fired = max(time.fired, time.as_of)
        effects.rows[row.WATERMARKS_KEY] = row.encode(time)

    def _fire(self, time: row.Watermarks, record: FactsRecord, rows: Rows, effects: Effects) -> bool:
        """Fire what is due, up to a number; returns whether more is."""
        subjects: dict[bytes, Subject] = {}
        more = False
        # From what has fired on: rows deleted lately are slow to pass by.
        timers = rows.scan(row.TIMERS_PREFIX, row.timers_from(time.fired))
        for fired, (key, value) in enumerate(islice(timers, FIRED_AT_ONCE + 1)):
            timer = row.read_timer_key(key)
            if timer.due > time.as_of:
                break
            if fired == FIRED_AT_ONCE:
                more = True
                break
            subject = subjects.get(timer.entity)
            if subject is None:
                name = value.decode("utf-8", "surrogatepass")
                subject = subjects[timer.entity] = Subject(name, timer.entity, self._publisher, effects, rows, record.appended_at)
            self._fire_one(subject, timer, key, time.as_of, effects)
        for subject in subjects.values():
            subject.write()
        return more

    def _fire_one(self, subject: Subject, timer: row.TimerKey, key: bytes, as_of: int, effects: Effects) -> None:
        lineage = self._program.funnel_of(subject.name, timer.funnel)
        head = subject.head(lineage) if lineage is not None else None
        if lineage is None or head is None:
            effects.rows[key] = None
            return
        state = row.decode_state(head.after)
        fire(state, head.as_of, lineage)
        before = seen(lineage, state)
        if head.due != timer.due:  # left over, and deleted by nobody
            effects.rows[key] = None
        moves = subject.pass_time(lineage, state, head, as_of, head.due)
        subject.put_head(lineage, head)
        subject.publish(lineage, subject.announcements(lineage, moves), Present(before, seen(lineage, state), state), late=False)


def _note(time: row.Watermarks, message: Watermark) -> None:
    """Take over what a source partition says; it may repeat itself or, after a restart, say less than before."""
    listed = {_place(*source) for source in message.sources}
    spoken = _place(*message.source)
    time.of = {place: at for place, at in time.of.items() if place in listed}
    time.of[spoken] = max(message.at, time.of.get(spoken, message.at))
    if time.of.keys() >= listed:
        time.as_of = max(time.as_of, min(time.of.values()))


def _place(topic: str, partition: int) -> str:
    return f"{topic}\0{partition}"
