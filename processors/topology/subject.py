"""One entity while a record is advanced: its rows, read once and written once, and what is published about it.

Here corrections meet what was published before: every publication stands as a token in the row of the fact that caused it.
"""

from collections.abc import Iterable, Iterator, Sequence

from processors.stages.diff import Change, Identity, Publication, announce, diff, identity_in, identity_of
from processors.stages.evidence import KeyedFact
from processors.stages.lineage import Lineage
from processors.stages.state import FunnelState
from processors.stages.timeline import OWN, Match, Move
from processors.stages.timers import fire, next_due
from processors.topology import rows as row
from processors.topology.contributions import Contributions
from processors.topology.effects import Effects, Rows
from processors.topology.present import Present
from processors.topology.publishing import Cause, Publisher
from processors.topology.stances import Stances
from schemas.facts import Fact
from schemas.instants import DAY, format_instant
from schemas.metrics import Reason


class Subject:
    """One entity, its rows behind a facts partition, and the record at hand.

    Attributes:
        name: The entity's identifier.
        key: Its key in the rows.
        facts: Fact rows that were read, by the fact's key.
    """

    __slots__ = ("_appended_at", "_changed", "_effects", "_entity", "_publisher", "_rows", "facts", "key", "name")

    def __init__(self, name: str, key: bytes, publisher: Publisher, effects: Effects, rows: Rows, appended_at: int) -> None:
        self.name = name
        self.key = key
        self.facts: dict[bytes, row.FactRow] = {}
        self._publisher = publisher
        self._effects = effects
        self._rows = rows
        self._appended_at = appended_at
        self._changed: set[bytes] = set()
        self._entity: row.EntityRow | None = None

    # --- rows ------------------------------------------------------------------------------------------------------

    def keep(self, key: bytes, fact: row.FactRow) -> None:
        """A fact row that is new, or has changed."""
        self.facts[key] = fact
        self._changed.add(key)

    def fact_row(self, key: bytes) -> row.FactRow:
        """The row of a fact that the head names."""
        kept = self.facts.get(key)
        if kept is None:
            value = self._rows.get(row.fact_row_key(self.key, key))
            assert value is not None, f"fact {key.hex()} of {self.name} is named by the head but not in the store"
            kept = self.facts[key] = row.decode_fact(value)
        return kept

    def fact(self, key: bytes) -> Fact:
        """A fact by its key."""
        return self.fact_row(key).fact

    def keyed(self, key: bytes) -> KeyedFact:
        """A fact by its key, with it."""
        return key, self.fact_row(key).fact

    def head(self, lineage: Lineage) -> row.HeadRow | None:
        """The head row of a funnel."""
        known = self._rows.get(row.head_row_key(self.key, lineage.key))
        return row.decode_head(known) if known is not None else None

    def put_head(self, lineage: Lineage, head: row.HeadRow) -> None:
        """Write the head row of a funnel."""
        self._effects.rows[row.head_row_key(self.key, lineage.key)] = row.encode(head)

    def drop_head(self, lineage: Lineage, head: row.HeadRow | None) -> None:
        """Delete the head row of a funnel, and its timer."""
        self._effects.rows[row.head_row_key(self.key, lineage.key)] = None
        if head is not None and head.due:
            self._effects.rows[row.timer_key(head.due, self.key, lineage.key)] = None

    def put_page(self, lineage: Lineage, page: row.Page) -> None:
        """Write a full page of a funnel's history."""
        self._effects.rows[row.page_key(row.pages_prefix(self.key, lineage.key), page.start)] = row.encode(page)

    # --- timers ----------------------------------------------------------------------------------------------------

    def pass_time(self, lineage: Lineage, state: FunnelState, head: row.HeadRow, as_of: int, due: int) -> list[Move]:
        """Fire what is due by `as_of` in a state after the last instant, and stand among the timers for what comes next.

        Args:
            lineage: The funnel; one that arms timers.
            state: After the last instant with a fact; is advanced.
            head: Gets `as_of` and `due`.
            as_of: Of the partition, in microseconds.
            due: Instant of the row among the timers that is there; 0 for none.
        """
        moves: list[Move] = []
        coming = next_due(state, lineage)
        if coming is not None and coming <= as_of:
            moves = fire(state, as_of, lineage)
            coming = next_due(state, lineage)
        head.as_of = max(as_of, head.as_of)
        # A row that is too early costs one look when it comes up, and spares two writes at each signal that slides a window.
        if coming is None or as_of < due <= coming:
            head.due = due if due > as_of else 0
        else:
            head.due = coming
            self._effects.rows[row.timer_key(coming, self.key, lineage.key)] = self.name.encode("utf-8", "surrogatepass")
        if due and head.due != due:
            self._effects.rows[row.timer_key(due, self.key, lineage.key)] = None
        return moves

    # --- what goes out ---------------------------------------------------------------------------------------------

    def corrections(
        self, lineage: Lineage, among: Iterable[bytes], now: Sequence[Move | Match], after: int, until: int | None
    ) -> list[Change]:
        """What turns everything published of a stretch into what should stand.

        Args:
            lineage: The funnel.
            among: Keys of the facts that can have caused it.
            now: What should stand.
            after: Publications of instants up to this one belong to no stretch, in microseconds. What was taken back counts
                wherever it was: its fact may have come again at another time (rule 20), and its id goes on counting revisions.
            until: Nor do those after this one; None for no end.
        """
        published: dict[Identity, Publication] = {}
        for key in among:
            for publication in self.fact_row(key).publications:
                instant = publication.content.instant
                inside = after < instant and (until is None or instant <= until)
                if publication.funnel == lineage.name and (inside or not publication.live):
                    published[identity_in(publication, key)] = publication
        return diff(published, sorted(now, key=_effective_at), lineage.name)

    def announcements(self, lineage: Lineage, now: Sequence[Move | Match]) -> list[Change]:
        """What announces contents that follow everything that stands."""
        if not lineage.timed:
            return [announce(content, lineage.name) for content in now]
        return [announce(content, lineage.name, self._retracted(lineage, content)) for content in now]

    def _retracted(self, lineage: Lineage, content: Move | Match) -> Publication | None:
        """What was published and taken back of a timer: the fact that armed it was there before, so its id may have been used."""
        if not isinstance(content, Move) or not content.timer:
            return None
        identity, tokens = identity_of(content, lineage.name), self.fact_row(content.cause).publications
        return next((token for token in tokens if identity_in(token, content.cause) == identity), None)

    def publish(self, lineage: Lineage, changes: Sequence[Change], present: Present, *, late: bool) -> None:
        """Publish the changes, and a snapshot of every position that moved or looks different now."""
        after, before = present.after.shown, present.before.shown
        alike = after == before
        if alike and not changes and not present.deletes:
            return
        reason = _reason(changes, deletes=present.deletes, late=late)
        self._contribute(lineage, changes, present.before.stances, present.after.stances, reason)
        recorded_at = format_instant(self._appended_at)
        snapshots = set(after) if present.deletes or not before else set()
        if not alike and before:
            snapshots.update(deal for deal in after.keys() | before.keys() if after.get(deal) != before.get(deal))
        for change in changes:
            content = change.content
            cause = Cause(self._remember(change).fact, recorded_at, late)
            version = lineage.by_number[content.version]
            if isinstance(content, Move):
                snapshots.add(content.deal)
                publish = self._publisher.transition(change, content, version, self.name, self._next_sequence(), cause)
                self._count(lineage, change, content)
            else:
                publish = self._publisher.conversion(change, content, version, self.name, cause)
                counting = "counted" if content.counted else "repeat"
                self._effects.count("conversions", lineage.name, content.name, counting, change.operation)
            self._effects.published.append(publish)
        for deal in sorted(snapshots):
            if deal == OWN or lineage.latest.walks_deals:
                self._snapshot(lineage, present.state, deal, recorded_at)

    def _contribute(self, lineage: Lineage, changes: Sequence[Change], before: Stances, after: Stances, reason: Reason) -> None:
        """Post what the subject contributes to the numbers more, or less, than before (invariant 4)."""
        contributions = Contributions(lineage, self._appended_at // DAY, reason)
        if (before.touch != after.touch or before.gone != after.gone) and (before.of or before.gone):
            changed = {change.identity for change in changes}
            for identity, move in self._standing(lineage):
                if identity not in changed:
                    contributions.exchange(move, move, before, after)
        for change in changes:
            contributions.change(change, before, after)
        contributions.positions(before, after)
        self._effects.postings += contributions.postings

    def _standing(self, lineage: Lineage) -> Iterator[tuple[Identity, Move]]:
        """All moves before the record at hand: of a deleted record none counts any more, of another first touch all move over."""
        prefix = row.facts_prefix(self.key)
        for key, value in self._rows.scan(prefix):
            for publication in row.decode_fact(value).publications:
                if publication.move is not None and publication.live and publication.funnel == lineage.name:
                    yield identity_in(publication, key[len(prefix) :]), publication.move

    def _count(self, lineage: Lineage, change: Change, move: Move) -> None:
        self._effects.count("transitions", lineage.name, change.operation, move.kind)
        if change.operation == "announce" and move.target is not None and move.kind not in ("notice", "return"):
            self._effects.count("entries", lineage.name, move.target.name)

    def _snapshot(self, lineage: Lineage, state: FunnelState, deal: str, recorded_at: str) -> None:
        version = lineage.by_number.get(state.version, lineage.versions[0])
        lead = self._publisher.lead(state, version, self.name, deal, self._entity_row().sequence, recorded_at)
        self._effects.snapshots[lead.key or b""] = lead

    def _remember(self, change: Change) -> row.FactRow:
        """Put the publication into the row of the fact that caused it, in the place of its earlier revision; returns the row."""
        identity, kept = change.identity, self.fact_row(change.identity.cause)
        if change.publication.revision > 1:
            kept.publications = [each for each in kept.publications if identity_in(each, identity.cause) != identity]
        kept.publications = [*kept.publications, change.publication]
        self._changed.add(identity.cause)
        return kept

    def _next_sequence(self) -> int:
        entity = self._entity_row()
        entity.sequence += 1
        return entity.sequence

    def _entity_row(self) -> row.EntityRow:
        if self._entity is None:
            known = self._rows.get(row.entity_row_key(self.key))
            self._entity = row.decode_entity(known) if known is not None else row.EntityRow(self.name)
        return self._entity

    def write(self) -> None:
        """Put the rows that changed."""
        for key in self._changed:
            self._effects.rows[row.fact_row_key(self.key, key)] = row.encode(self.facts[key])
        if self._entity is not None and self._entity.sequence:
            self._effects.rows[row.entity_row_key(self.key)] = row.encode(self._entity)


def _reason(changes: Sequence[Change], *, deletes: bool, late: bool) -> Reason:
    if deletes:
        return "deletion"
    if late:
        return "late"
    for change in changes:
        if change.operation != "announce":
            return "late"
    return "live"


def _effective_at(content: Move | Match) -> int:
    return content.effective_at
