"""Dead letters as a person asks for them: which ones are meant, how they group, how one is shown. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from processors.engine.redelivery import Left, Outgoing
from processors.shown.masking import Mask
from processors.topology.letters import DeadLetter, Posted, described_time


class Selection(NamedTuple):
    """Which dead letters are meant; an empty part means any.

    Attributes:
        reasons: Words of `dead-letter-reason`.
        sources: Names of sources.
        since: Set aside then or later, in microseconds.
        until: Set aside before, in microseconds.
        places: `PARTITION/OFFSET` of dead letters, or `TOPIC/PARTITION/OFFSET` of their source records.
    """

    reasons: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    since: int | None = None
    until: int | None = None
    places: frozenset[str] = frozenset()

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a letter is meant: every part that says anything must fit."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.sources or letter.source in self.sources)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (not self.places or not self.places.isdisjoint(letter.names))
        )


class Group(NamedTuple):
    """Dead letters of one reason and source. `attempts` is the most replays that any of them had been through."""

    reason: str
    source: str
    letters: int
    outstanding: int
    replayed: int
    failed_again: int
    attempts: int
    first: str
    last: str
    example: str


@dataclass
class _Tally:
    """A group while it is counted."""

    first: int
    last: int
    letters: int = 0
    replayed: int = 0
    failed_again: int = 0
    attempts: int = 0
    example: tuple[bool, int, str] = (False, 0, "")
    """The newest that is outstanding, else the newest."""

    def add(self, posted: Posted) -> None:
        letter = posted.letter
        self.first, self.last = min(self.first, letter.at), max(self.last, letter.at)
        self.letters += 1
        self.replayed += posted.sent > 0
        self.failed_again += letter.replays > 0
        self.attempts = max(self.attempts, letter.replays)
        self.example = max(self.example, (posted.sent == 0, letter.at, str(letter.place)))


def grouped(posted: Iterable[Posted]) -> list[Group]:
    """Dead letters counted by reason and source, the most frequent first."""
    tallies: dict[tuple[str, str], _Tally] = {}
    for each in posted:
        letter = each.letter
        tallies.setdefault((letter.reason, letter.source), _Tally(letter.at, letter.at)).add(each)
    groups = [
        Group(
            reason,
            source,
            tally.letters,
            tally.letters - tally.replayed,
            tally.replayed,
            tally.failed_again,
            tally.attempts,
            described_time(tally.first),
            described_time(tally.last),
            tally.example[2],
        )
        for (reason, source), tally in tallies.items()
    ]
    return sorted(groups, key=lambda group: (-group.letters, group.reason, group.source))


class Outcome(NamedTuple):
    """What became of dead letters of one reason and source: sent or left, where to, or why; `example` is one of them."""

    reason: str
    source: str
    outcome: str
    letters: int
    to: str
    example: str
    why: str


class Outcomes:
    """Counts what became of dead letters."""

    def __init__(self, sent: str) -> None:
        """Begin with none; `sent` is the word for those that go out."""
        self._sent = sent
        self._rows: dict[tuple[str, str, str, str, str], tuple[int, str]] = {}

    def add(self, settled: Outgoing | Left) -> None:
        """Count one."""
        letter = settled.letter
        word, to, why = ("left", "", settled.why) if isinstance(settled, Left) else (self._sent, str(settled.to), "")
        key = letter.reason, letter.source, word, to, why
        count, example = self._rows.get(key, (0, str(letter.place)))
        self._rows[key] = count + 1, example

    def rows(self) -> list[Outcome]:
        """What was counted, in the order of its names."""
        found = [
            Outcome(reason, source, outcome, count, to, example, why)
            for (reason, source, outcome, to, why), (count, example) in self._rows.items()
        ]
        return sorted(found)


def view(letter: DeadLetter, mask: Mask, sent: int | None = None) -> dict[str, Any]:
    """One dead letter whole, as plain values; `sent` says how often it was sent back, where that is known."""
    kept = len(letter.value or b"")
    return {
        "dead_letter": str(letter.place),
        "set_aside_at": described_time(letter.at),
        "reason": letter.reason,
        "sentence": mask.sentence(letter.sentence),
        "source": letter.source,
        "record": letter.record,
        "record_time": described_time(letter.time),
        "attempts": letter.replays,
        **({} if sent is None else {"replayed": sent}),
        "bytes": kept if letter.size is None else letter.size,
        "bytes_kept": kept,
        "key": mask.raw(letter.key),
        "key_bytes": len(letter.key or b"") if letter.key_size is None else letter.key_size,
        "headers": [[name, mask.raw(value)] for name, value in letter.headers],
        "headers_left_out": letter.headers_left_out,
        "value": mask.raw(letter.value),
    }
