"""Advance: one fact changes the timeline of its entity, and what changed is published.

It works per record, never per batch, so that reading a partition again gives the same bytes (invariant 5). Three ways
lead to the same result (invariant 2). A fact after the last instant continues the head; one at the last instant
judges that instant again; an earlier one folds the stretch of history that it changes, and one that replaces another
folds the whole. Only the first is common, and it reads and writes no more than the head, its own row and, when it
moves the lead, the entity.
"""

from collections.abc import Sequence

import msgspec

from processors.stages.diff import Change, Identity, Publication, announce, diff, identity_in
from processors.stages.evidence import KeyedFact
from processors.stages.fold import too_late
from processors.stages.instant import evaluate, in_order
from processors.stages.rules import Version
from processors.stages.timeline import FunnelState, Match, Move
from processors.topology import rows as row
from processors.topology.deadletters import conflict
from processors.topology.effects import Effects, FactsRecord, Rows
from processors.topology.history import EMPTY_STATE, Refolded, follow, refold, stretch, whole
from processors.topology.program import Program
from processors.topology.publishing import Moment, Publisher, flags
from schemas.facts import Fact, accepted_order, entity_key, fact_key
from schemas.instants import format_instant

decode_message = msgspec.msgpack.Decoder(Fact).decode
REJECTED_KEPT = 16
"""Fingerprints of losing records kept with a fact, so that their duplicates make no second dead letter."""


class Advance:
    """Turns facts into effects on the state and the outputs; see the module."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._publisher = Publisher(program.application)

    def __call__(self, record: FactsRecord, rows: Rows) -> Effects:
        """The effects of one record of the facts topic, given the state behind its partition."""
        fact = decode_message(record.value)
        effects = Effects()
        effects.reached = fact.occurred_at
        step = _Step(self._program, self._publisher, effects, rows, record, fact)
        known = rows.get(row.fact_row_key(step.entity, step.key))
        if known is None:
            step.add()
        else:
            step.meet(row.decode_fact(known))
        step.write()
        return effects


class _Step:
    """One fact meeting the state of its entity. Fact rows are read once and written once."""

    __slots__ = (
        "_changed",
        "_facts",
        "_program",
        "_publisher",
        "_record",
        "_rows",
        "_sequence",
        "effects",
        "entity",
        "fact",
        "key",
    )

    def __init__(
        self, program: Program, publisher: Publisher, effects: Effects, rows: Rows, record: FactsRecord, fact: Fact
    ) -> None:
        self._program = program
        self._publisher = publisher
        self._rows = rows
        self._record = record
        self._facts: dict[bytes, row.FactRow] = {}
        self._changed: set[bytes] = set()
        self._sequence: row.EntityRow | None = None
        self.effects = effects
        self.fact = fact
        self.entity = entity_key(fact.entity)
        self.key = fact_key(fact.source, fact.id)

    # --- the three ways --------------------------------------------------------------------------------------------

    def add(self) -> None:
        """A fact that is not there yet."""
        self._keep(row.FactRow(self.fact))
        for version in self._program.funnels_folding(self.fact):
            if too_late(self.fact, version):
                self.effects.count("too_late", version.funnel)
                continue
            head = self._head(version)
            if head is None or self.fact.occurred_at > head.last.instant:
                self._continue(version, head)
            elif self.fact.occurred_at == head.last.instant:
                self._judge_again(version, head)
            else:
                self._insert(version, head)

    def meet(self, known: row.FactRow) -> None:
        """A record whose id is there already: a duplicate, or a conflict of which one wins whatever came first (rule 20)."""
        there, new = known.fact, self.fact
        self._facts[self.key] = known
        if new.fingerprint == there.fingerprint:
            self.effects.count("duplicates", new.source)
        elif new.fingerprint in known.rejected:
            self.effects.count("duplicates", new.source)
            return
        else:
            loser, winner = (there, new) if accepted_order(new) < accepted_order(there) else (new, there)
            conflict(self.effects, loser, winner)
            known.rejected = [*known.rejected, loser.fingerprint][-REJECTED_KEPT:]
            self._changed.add(self.key)
        if accepted_order(new) < accepted_order(there):
            self._replace(known, new)

    def _replace(self, known: row.FactRow, new: Fact) -> None:
        before, known.fact = known.fact, new
        self._changed.add(self.key)
        same = msgspec.structs.replace(before, broker_time=new.broker_time, coordinates=new.coordinates) == new
        for version in self._reading_either(before, new):
            if not same or too_late(before, version) != too_late(new, version):
                self._fold_whole(version)

    def _reading_either(self, before: Fact, new: Fact) -> Sequence[Version]:
        reading = {
            version.funnel: version for version in (*self._program.funnels_folding(before), *self._program.funnels_folding(new))
        }
        return list(reading.values())

    def _continue(self, version: Version, head: row.HeadRow | None) -> None:
        """In order: the state after the last instant is the state before this one."""
        state = row.decode_state(head.after if head is not None else EMPTY_STATE)
        flagged = flags(state)
        moves, matches = evaluate(state, self.fact.occurred_at, ((self.key, self.fact),), version)
        head, full = follow(head, self.fact.occurred_at, self.key, row.encode(state))
        if full is not None:
            self._put_page(version, full)
        self._put_head(version, head)
        contents: list[Move | Match] = [*matches, *moves]
        changes = [announce(content, version.funnel, version.number) for content in contents]
        self._publish(changes, version, state, flagged, late=False)

    def _judge_again(self, version: Version, head: row.HeadRow) -> None:
        """Another fact of the last instant: all its facts are judged together again."""
        state = row.decode_state(head.before)
        last = row.Step(head.last.instant, (*head.last.members, self.key))
        moves, matches = evaluate(state, last.instant, sorted(map(self._keyed, last.members), key=in_order), version)
        flagged = flags(row.decode_state(head.after))
        page = row.Page(head.page.start, head.page.opening, [*head.page.steps[:-1], last])
        self._put_head(version, row.HeadRow(page, head.before, row.encode(state)))
        self._publish(self._correct(version, last.members, moves, matches), version, state, flagged, late=False)

    def _insert(self, version: Version, head: row.HeadRow) -> None:
        """A late fact: fold from where it belongs to where nothing differs any more, and publish the difference."""
        self.effects.count("refolds", version.funnel)
        prefix = row.pages_prefix(self.entity, version.key)
        pages = stretch(head, self._rows, prefix, self.fact.occurred_at, self.key)
        folded = refold(pages, self._keyed, version)
        self._settle(version, head, folded, (folded.head or head).after)

    def _fold_whole(self, version: Version) -> None:
        """A fact was replaced by another: its history is not what it was, from wherever either of them belongs."""
        self.effects.count("refolds", version.funnel)
        for key, value in self._rows.scan(row.facts_prefix(self.entity)):
            self._facts.setdefault(key[-16:], row.decode_fact(value))
        reading = [(key, kept.fact) for key, kept in self._facts.items() if self._reads(version, kept.fact)]
        head, pages = self._head(version), whole(reading)
        for key, _ in self._rows.scan(row.pages_prefix(self.entity, version.key)):
            self.effects.rows[key] = None
        folded = refold(pages, self._keyed, version) if pages else Refolded([], [], [], [], None)
        self._put_head(version, None)
        self._settle(version, head, folded._replace(members=list(self._facts)), folded.head.after if folded.head else EMPTY_STATE)

    def _reads(self, version: Version, fact: Fact) -> bool:
        return version in self._program.funnels_folding(fact) and not too_late(fact, version)

    def _settle(self, version: Version, before: row.HeadRow | None, folded: Refolded, after: bytes) -> None:
        """Keep what was folded anew, and publish what differs."""
        for page in folded.pages:
            self._put_page(version, page)
        if folded.head is not None:
            self._put_head(version, folded.head)
        state = row.decode_state(after)
        flagged = flags(row.decode_state(before.after)) if before is not None else []
        changes = self._correct(version, folded.members, folded.moves, folded.matches)
        self._publish(changes, version, state, flagged, late=True)

    def _correct(self, version: Version, among: Sequence[bytes], moves: Sequence[Move], matches: Sequence[Match]) -> list[Change]:
        """What turns everything published because of these facts into what should stand."""
        published: dict[Identity, Publication] = {}
        for key in among:
            for publication in self._fact_row(key).publications:
                if publication.funnel == version.funnel:
                    published[identity_in(publication, key)] = publication
        now: list[Move | Match] = [*matches, *moves]
        now.sort(key=lambda content: content.effective_at)
        return diff(published, [(content, version.funnel, version.number) for content in now])

    # --- what stands and what goes out -----------------------------------------------------------------------------

    def _keep(self, kept: row.FactRow) -> None:
        self._facts[self.key] = kept
        self._changed.add(self.key)

    def _fact_row(self, key: bytes) -> row.FactRow:
        kept = self._facts.get(key)
        if kept is None:
            value = self._rows.get(row.fact_row_key(self.entity, key))
            assert value is not None, f"fact {key.hex()} of {self.fact.entity} is named by the head but not in the store"
            kept = self._facts[key] = row.decode_fact(value)
        return kept

    def _fact_of(self, key: bytes) -> Fact:
        return self._fact_row(key).fact

    def _keyed(self, key: bytes) -> KeyedFact:
        return key, self._fact_of(key)

    def _head(self, version: Version) -> row.HeadRow | None:
        known = self._rows.get(row.head_row_key(self.entity, version.key))
        return row.decode_head(known) if known is not None else None

    def _put_head(self, version: Version, head: row.HeadRow | None) -> None:
        self.effects.rows[row.head_row_key(self.entity, version.key)] = row.encode(head) if head is not None else None

    def _put_page(self, version: Version, page: row.Page) -> None:
        self.effects.rows[row.page_key(row.pages_prefix(self.entity, version.key), page.start)] = row.encode(page)

    def _publish(
        self, changes: Sequence[Change], version: Version, state: FunnelState, flagged: list[str], *, late: bool
    ) -> None:
        """Publish the changes, and the snapshot when the subject moved, its flags changed or its record was deleted."""
        touched = bool(state.visits) and self.fact.kind in ("delete", "restore")
        shown = touched or flags(state) != flagged
        if not changes and not shown:
            return
        moment = Moment(format_instant(self._record.appended_at), late, self._fact_of)
        for change in changes:
            content = change.publication.content
            self._remember(change)
            if isinstance(content, Move):
                shown = True
                sequence = self._next_sequence()
                publish = self._publisher.transition(change, content, version, self.fact.entity, sequence, moment)
                self.effects.count("transitions", version.funnel, change.operation, content.kind)
                if change.operation == "announce" and content.target is not None and content.kind not in ("notice", "return"):
                    self.effects.count("entries", version.funnel, content.target.name)
            else:
                publish = self._publisher.conversion(change, content, version, self.fact.entity, moment)
                counting = "counted" if content.counted else "repeat"
                self.effects.count("conversions", version.funnel, content.name, counting, change.operation)
            self.effects.published.append(publish)
        if shown:
            self._snapshot(version, state, moment)

    def _snapshot(self, version: Version, state: FunnelState, moment: Moment) -> None:
        lead = self._publisher.lead(state, version, self.fact.entity, self._entity().sequence, moment.recorded_at)
        self.effects.snapshots[lead.key or b""] = lead

    def _remember(self, change: Change) -> None:
        """Put the publication into the row of the fact that caused it, in the place of its earlier revision."""
        identity, kept = change.identity, self._fact_row(change.identity.cause)
        if change.publication.revision > 1:
            kept.publications = [each for each in kept.publications if identity_in(each, identity.cause) != identity]
        kept.publications = [*kept.publications, change.publication]
        self._changed.add(identity.cause)

    def _next_sequence(self) -> int:
        entity = self._entity()
        entity.sequence += 1
        return entity.sequence

    def _entity(self) -> row.EntityRow:
        if self._sequence is None:
            known = self._rows.get(row.entity_row_key(self.entity))
            self._sequence = row.decode_entity(known) if known is not None else row.EntityRow(self.fact.entity)
        return self._sequence

    def write(self) -> None:
        """Put the rows that changed."""
        for key in self._changed:
            self.effects.rows[row.fact_row_key(self.entity, key)] = row.encode(self._facts[key])
        if self._sequence is not None and self._sequence.sequence:
            self.effects.rows[row.entity_row_key(self.entity)] = row.encode(self._sequence)
