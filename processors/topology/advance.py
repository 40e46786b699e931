"""Advance: one fact changes the timeline of its entity, and what changed is published.

It works per record, never per batch, so that reading a partition again gives the same bytes (invariant 5). Three ways
lead to the same result (invariant 2). A fact after the last instant continues the head; one at the last instant
judges that instant again; an earlier one folds the stretch of history that it changes, and one that replaces another
folds the whole. Only the first is common, and it reads and writes no more than the head, its own row and, when it
moves the lead, the entity; of the head no more than it changes, where it says nothing new (`stages.renewal`). Timers
that fired after the last instant are never part of the head: they are fired anew, and where a fact comes that is older
than they are, what they had published is corrected like anything else.
"""

from collections.abc import Sequence

import msgspec

from processors.stages.fold import too_late
from processors.stages.instant import in_order
from processors.stages.lineage import Lineage
from processors.stages.renewal import renew, renews
from processors.stages.state import FunnelState
from processors.stages.timeline import Match, Move
from processors.stages.timers import fire, next_due, step
from processors.topology import rows as row
from processors.topology.deadletters import conflict
from processors.topology.effects import Effects, FactsRecord, Rows
from processors.topology.history import EMPTY_STATE, Refolded, follow, refold, stretch, whole
from processors.topology.present import AS_BEFORE, UNSEEN, Present, Seen, seen, seen_after
from processors.topology.program import Program
from processors.topology.publishing import Publisher
from processors.topology.subject import Subject
from processors.topology.watermarks import Time, as_of_in
from schemas.facts import Fact, Message, accepted_order, entity_key, fact_key

decode_message = msgspec.msgpack.Decoder(Message).decode
REJECTED_KEPT = 16
"""Fingerprints of losing records kept with a fact, so that their duplicates make no second dead letter."""


class Advance:
    """Turns facts, and watermarks, into effects on the state and the outputs; see the module."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._publisher = Publisher(program.application)
        self._time = Time(program, self._publisher)

    def __call__(self, record: FactsRecord, rows: Rows) -> Effects:
        """The effects of one record of the facts topic, given the state behind its partition."""
        message = decode_message(record.value)
        effects = Effects()
        if not isinstance(message, Fact):
            self._time(message, record, rows, effects)
            return effects
        effects.reached = message.occurred_at
        arrival = _Step(self._program, self._publisher, effects, rows, record, message)
        known = rows.get(row.fact_row_key(arrival.subject.key, arrival.key))
        if known is None:
            arrival.add()
        else:
            arrival.meet(row.decode_fact(known))
        arrival.subject.write()
        return effects


class _Step:
    """One fact meeting the state of its entity."""

    __slots__ = ("_as_of", "_effects", "_program", "_rows", "fact", "key", "subject")

    def __init__(
        self, program: Program, publisher: Publisher, effects: Effects, rows: Rows, record: FactsRecord, fact: Fact
    ) -> None:
        self._program = program
        self._rows = rows
        self._effects = effects
        self._as_of: int | None = None
        self.fact = fact
        self.key = fact_key(fact.source, fact.id)
        self.subject = Subject(fact.entity, entity_key(fact.entity), publisher, effects, rows, record.appended_at)

    # --- the three ways --------------------------------------------------------------------------------------------

    def add(self) -> None:
        """A fact that is not there yet."""
        self.subject.keep(self.key, row.FactRow(self.fact))
        for lineage in self._program.funnels_folding(self.fact):
            if too_late(self.fact, lineage):
                self._effects.count("too_late", lineage.name)
                continue
            head = self.subject.head(lineage)
            if head is None:
                self._continue(lineage, None)
            elif self.fact.occurred_at > head.last.instant:
                if not self._renew(lineage, head):
                    self._continue(lineage, head)
            elif self.fact.occurred_at == head.last.instant:
                self._judge_again(lineage, head)
            else:
                self._insert(lineage, head)

    def meet(self, known: row.FactRow) -> None:
        """A record whose id is there already: a duplicate, or a conflict of which one wins whatever came first (rule 20)."""
        there, new = known.fact, self.fact
        self.subject.facts[self.key] = known
        if new.fingerprint == there.fingerprint:
            self._effects.count("duplicates", new.source)
        elif new.fingerprint in known.rejected:
            self._effects.count("duplicates", new.source)
            return
        else:
            loser, winner = (there, new) if accepted_order(new) < accepted_order(there) else (new, there)
            conflict(self._effects, loser, winner)
            known.rejected = [*known.rejected, loser.fingerprint][-REJECTED_KEPT:]
            self.subject.keep(self.key, known)
        if accepted_order(new) < accepted_order(there):
            self._replace(known, new)

    def _replace(self, known: row.FactRow, new: Fact) -> None:
        before, known.fact = known.fact, new
        self.subject.keep(self.key, known)
        same = msgspec.structs.replace(before, broker_time=new.broker_time, coordinates=new.coordinates) == new
        for lineage in self._reading_either(before, new):
            if not same or _counts_by_arrival(new) or too_late(before, lineage) != too_late(new, lineage):
                self._fold_whole(lineage)

    def _reading_either(self, before: Fact, new: Fact) -> Sequence[Lineage]:
        folding = (*self._program.funnels_folding(before), *self._program.funnels_folding(new))
        return list({lineage.name: lineage for lineage in folding}.values())

    def _renew(self, lineage: Lineage, head: row.HeadRow) -> bool:
        """In order, and an event that moves nobody and shows nothing new: most are; returns whether it was one."""
        fact, version = self.fact, lineage.at(self.fact.occurred_at)
        if fact.kind != "event" or not version.renewable or lineage.timed:
            return False
        glance = row.decode_glance(head.after)
        if not renews(glance, fact, version):
            return False
        changes = self.subject.announcements(lineage, renew(glance, self.key, fact, version))
        self.subject.put_head(lineage, self._follow(lineage, head, row.encode(glance)))
        self.subject.publish(lineage, changes, AS_BEFORE, late=False)
        return True

    def _continue(self, lineage: Lineage, head: row.HeadRow | None) -> None:
        """In order: the state after the last instant is the state before this one, unless timers have fired since."""
        state = row.decode_state(head.after if head is not None else EMPTY_STATE)
        if head is not None and self._fired_since(lineage, head, state):
            self._overtake(lineage, head, state)
            return
        before = seen(lineage, state)
        moves, matches = self._add_instant(lineage, head, state)
        after = seen_after(before, self.fact, moves, lineage, state)
        changes = self.subject.announcements(lineage, [*matches, *moves])
        self.subject.publish(lineage, changes, self._present(before, after, state), late=False)

    def _fired_since(self, lineage: Lineage, head: row.HeadRow, state: FunnelState) -> bool:
        """Whether timers have fired after the last instant."""
        due = next_due(state, lineage) if lineage.timed and head.as_of else None
        return due is not None and due <= head.as_of

    def _overtake(self, lineage: Lineage, head: row.HeadRow, state: FunnelState) -> None:
        """A fact after the last instant, but perhaps before timers that have fired since: those are fired anew."""
        among, after = {*state.armers, self.key}, state.stepped
        before = self._seen_since(lineage, head)
        moves, matches = self._add_instant(lineage, head, state)
        changes = self.subject.corrections(lineage, among, [*matches, *moves], after, None)
        late = any(change.operation != "announce" for change in changes)
        self.subject.publish(lineage, changes, self._present(before, seen(lineage, state), state), late=late)

    def _add_instant(
        self, lineage: Lineage, head: row.HeadRow | None, state: FunnelState
    ) -> tuple[Sequence[Move], Sequence[Match]]:
        """Advance the head and its state over the fact, as one more instant, and over timers after it; returns what happened."""
        moves, matches = step(state, self.fact.occurred_at, ((self.key, self.fact),), lineage)
        new = self._follow(lineage, head, row.encode(state))
        fired = self._pass_time(lineage, state, new, head)
        self.subject.put_head(lineage, new)
        return [*moves, *fired] if fired else moves, matches

    def _follow(self, lineage: Lineage, head: row.HeadRow | None, after: bytes) -> row.HeadRow:
        """The head after the fact as one more instant; a page that is full is kept."""
        new, full = follow(head, self.fact.occurred_at, self.key, after)
        if full is not None:
            self.subject.put_page(lineage, full)
        return new

    def _judge_again(self, lineage: Lineage, head: row.HeadRow) -> None:
        """Another fact of the last instant: all its facts are judged together again."""
        state = row.decode_state(head.before)
        last = row.Step(head.last.instant, (*head.last.members, self.key))
        among, after = {*state.armers, *last.members}, state.stepped
        before = self._seen_since(lineage, head)
        facts = sorted(map(self.subject.keyed, last.members), key=in_order)
        moves, matches = step(state, last.instant, facts, lineage)
        page = row.Page(head.page.start, head.page.opening, [*head.page.steps[:-1], last])
        new = row.HeadRow(page, head.before, row.encode(state))
        fired = self._pass_time(lineage, state, new, head)
        self.subject.put_head(lineage, new)
        changes = self.subject.corrections(lineage, among, [*matches, *moves, *fired], after, None)
        self.subject.publish(lineage, changes, self._present(before, seen(lineage, state), state), late=False)

    def _insert(self, lineage: Lineage, head: row.HeadRow) -> None:
        """A late fact: fold from where it belongs to where nothing differs any more, and publish the difference."""
        self._effects.count("refolds", lineage.name)
        prefix = row.pages_prefix(self.subject.key, lineage.key)
        late = stretch(head, self._rows, prefix, self.fact.occurred_at, self.key)
        self._settle(lineage, head, refold(late, self.subject.keyed, lineage))

    def _fold_whole(self, lineage: Lineage) -> None:
        """A fact was replaced by another: its history is not what it was, from wherever either of them belongs."""
        self._effects.count("refolds", lineage.name)
        head, prefix = self.subject.head(lineage), row.pages_prefix(self.subject.key, lineage.key)
        pages = [head.page] if head is not None else []
        for key, value in self._rows.scan(prefix):
            pages.append(row.decode_page(value))
            self._effects.rows[key] = None
        # What is in no page was never folded here: it was too late, or came before this funnel was there.
        known = {key for page in pages for step in page.steps for key in step.members}
        reading = known - {self.key} | ({self.key} if self._reads(lineage, self.fact) else set())
        history = whole(map(self.subject.keyed, reading))
        folded = refold(history, self.subject.keyed, lineage) if history is not None else None
        if folded is None or folded.head is None:
            self.subject.drop_head(lineage, head)
            folded = Refolded([], [], [], row.decode_state(EMPTY_STATE).stepped, None, [], None)
        self._settle(lineage, head, folded._replace(members=[*known, self.key]))

    def _reads(self, lineage: Lineage, fact: Fact) -> bool:
        return lineage in self._program.funnels_folding(fact) and not too_late(fact, lineage)

    def _settle(self, lineage: Lineage, before: row.HeadRow | None, folded: Refolded) -> None:
        """Keep what was folded anew, and publish what differs."""
        seen_before = self._seen_since(lineage, before) if before is not None else UNSEEN
        moves = list(folded.moves)
        for page in folded.pages:
            self.subject.put_page(lineage, page)
        head = folded.head or (before if folded.until is not None else None)
        state = row.decode_state(head.after if head is not None else EMPTY_STATE)
        if folded.head is not None:
            moves += self._pass_time(lineage, state, folded.head, before)
            self.subject.put_head(lineage, folded.head)
        elif head is not None:
            fire(state, head.as_of, lineage)
        contents: list[Move | Match] = [*folded.matches, *moves]
        changes = self.subject.corrections(lineage, folded.members, contents, folded.after, folded.until)
        self.subject.publish(lineage, changes, self._present(seen_before, seen(lineage, state), state), late=True)

    # --- what time does --------------------------------------------------------------------------------------------

    def _pass_time(self, lineage: Lineage, state: FunnelState, new: row.HeadRow, old: row.HeadRow | None) -> list[Move]:
        """Fire what is due after the last instant, as far as this partition's time has come."""
        if not lineage.timed:
            return []
        if self._as_of is None:
            self._as_of = as_of_in(self._rows)
        if old is not None:
            new.as_of = old.as_of
        return self.subject.pass_time(lineage, state, new, max(self._as_of, new.as_of), old.due if old is not None else 0)

    def _seen_since(self, lineage: Lineage, head: row.HeadRow) -> Seen:
        """How the funnel stood before this record: at the head, and the timers that have fired since."""
        state = row.decode_state(head.after)
        fire(state, head.as_of, lineage)
        return seen(lineage, state)

    def _present(self, before: Seen, after: Seen, state: FunnelState) -> Present:
        return Present(before, after, state, self.fact.kind in ("delete", "restore"))


def _counts_by_arrival(fact: Fact) -> bool:
    """Whether the fold reads when it arrived: of gaps and whole records, which end them (rule 21)."""
    return fact.kind == "gap" or fact.provenance == "snapshot"
