"""Why a lead stands where it stands: its path with the facts and rules behind each move, corrections, what is missing to go on.

The path is the fold of the facts that are kept, judged by the definitions at hand; what was published of it tells of corrections.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from processors.classification.predicates import compile_condition
from processors.classification.unmet import unmet
from processors.cli.lead_history import Converted, Missing, Moved, OnFunnel, Source, Told, Way
from processors.cli.lead_records import LeadRecords
from processors.shown.masking import Mask, shape
from processors.shown.wording import Rule, conditions_words, expiry_words, rule_words, signal_words, signals_words, unmet_words
from processors.stages.diff import identity_of, publication_id
from processors.stages.fold import Timeline, accept
from processors.stages.lineage import Lineage
from processors.stages.state import Walk
from processors.stages.timeline import Match, Move, Point
from processors.topology.program import Program
from schemas.conditions import Condition
from schemas.definitions import Funnel, Stage
from schemas.facts import Fact, Value
from schemas.fields import FieldType
from schemas.instants import format_instant


class LeadExplainer:
    """Explains what is kept of one lead."""

    def __init__(
        self, program: Program, funnels: Iterable[Funnel], types: Mapping[str, FieldType], records: LeadRecords, mask: Mask
    ) -> None:
        """Prepare.

        Args:
            program: What the facts are folded by.
            funnels: The definitions that it was compiled from, every version.
            types: Of the fields that the sources give.
            records: What is kept of the lead.
            mask: Of identifiers, ids and values.
        """
        self._program = program
        self._definitions = {(funnel.funnel, funnel.version): funnel for funnel in funnels}
        self._types = types
        self._records = records
        self._mask = mask
        self._facts = accept(records.facts)
        self._told: dict[str, list[dict[str, Any]]] = {}
        for body in records.transitions:
            self._told.setdefault(body["transition_id"], []).append(body)

    def explain(self) -> list[OnFunnel]:
        """Every funnel in which the lead, or one of its deals, has a history."""
        return [explained for lineage in self._program.funnels for explained in self._funnel(lineage)]

    def _funnel(self, lineage: Lineage) -> Iterator[OnFunnel]:
        timeline = self._program.timeline(lineage, self._records.facts, self._records.as_of)
        for deal, walk in timeline.state.walks:
            path = [move for move in timeline.moves if move.deal == deal]
            if path or (not deal and timeline.instant is not None and self._counted_itself(lineage)):
                yield self._position(lineage, timeline, deal, walk, path)

    def _counted_itself(self, lineage: Lineage) -> bool:
        """Whether the funnel has a position for the entity's own record, and not only for deals."""
        entity = self._records.facts[0].entity
        return lineage.subject != "deal" and self._program.kind_of(entity) != "deal"

    def _position(self, lineage: Lineage, timeline: Timeline, deal: str, walk: Walk, path: Sequence[Move]) -> OnFunnel:
        now = max(self._records.as_of, timeline.state.stepped)
        version, here = lineage.at(now).number, walk.position
        funnel = self._definitions[lineage.name, version]
        ids = [publication_id(identity_of(move, lineage.name), lineage.subject) for move in path]
        published = {each: told for each, told in self._told.items() if _is_of(told[-1], lineage.name, deal)}
        gone = [told for each, told in published.items() if told[-1]["op"] == "retract" and each not in ids]
        return OnFunnel(
            funnel=lineage.name,
            version=version,
            grain="deal" if deal else lineage.subject,
            deal=self._mask.identifier(deal) if deal else "",
            place=here.name if here is not None else None,
            since=format_instant(here.entered_at) if here is not None else None,
            entry=here.entry if here is not None else None,
            path=[self._move(lineage, move, published.get(identity, ())) for move, identity in zip(path, ids, strict=True)],
            conversions=[] if deal else list(map(_converted, timeline.matches)),
            taken_back=[list(map(_told, told)) for told in gone],
            missing=[self._missing(lineage, place, timeline, deal, now) for place in _next(funnel, here)],
            unpublished=sum(identity not in published or published[identity][-1]["op"] == "retract" for identity in ids),
        )

    def _move(self, lineage: Lineage, move: Move, told: Iterable[Mapping[str, Any]]) -> Moved:
        rule = self._rule(self._definitions[lineage.name, move.version], move.rule)
        return Moved(
            at=format_instant(move.effective_at),
            kind=move.kind,
            from_=_name(move.source),
            to=_name(move.target),
            entry=move.target.entry if move.target is not None else None,
            skipped=move.skipped,
            flags=move.flags,
            rule=move.rule,
            said=_decided(rule, move) if rule is not None else "",
            read={field: self._shown(value) for field, value in move.read.items()},
            timer=move.timer,
            fact=self._source(self._facts[move.cause]),
            told=list(map(_told, told)),
        )

    def _rule(self, funnel: Funnel, label: str) -> Rule | None:
        name = label.partition(".")[2]
        return next((place for place in funnel.places if place.name == name), None)

    def _source(self, fact: Fact) -> Source:
        at = fact.coordinates
        return Source(fact.source, self._mask.name(fact.id), at.topic, at.partition, at.offset, fact.change_source)

    def _shown(self, value: Value) -> Any:
        return value if self._mask.show else shape(value)

    # --- what is missing -------------------------------------------------------------------------------------------

    def _missing(self, lineage: Lineage, rule: Rule, timeline: Timeline, deal: str, now: int) -> Missing:
        """The ways into a place: each signal that would latch it, each state in which it would hold, on each deal it reads."""
        version = lineage.at(now)
        of_deals = version.rules[rule.name].of_deals
        if timeline.state.own.deleted and not of_deals:
            return Missing(rule.name, [Way("", ["its record restored (it is deleted)"])])
        funnel = self._definitions[lineage.name, version.number]
        ways = [Way("", [f"{signal_words(signal)}{' on a deal' if of_deals else ''} (not yet)"]) for signal in rule.when]
        for condition in rule.while_:
            for track, values in _judged_on(timeline, deal, of_deals=of_deals):
                needs = self._unmet(funnel, condition, values, timeline, now)
                ways.append(
                    Way(self._mask.identifier(track), needs) if track else Way("", ["a deal", *needs] if of_deals else needs)
                )
        return Missing(rule.name, ways)

    def _unmet(
        self, funnel: Funnel, condition: Condition, values: Mapping[str, Value], timeline: Timeline, now: int
    ) -> list[str]:
        def holds(part: Condition) -> bool:
            return compile_condition(part, funnel.orderings, self._types.get)(values, timeline.state.memory, now)

        times = {field for field, kind in self._types.items() if kind == "time"} if self._mask.show else frozenset()
        found = [
            each._replace(found={field: self._shown(value) for field, value in each.found.items()})
            for each in unmet(condition, holds, values)
        ]
        return [unmet_words(each, times) for each in found]


def _judged_on(timeline: Timeline, deal: str, *, of_deals: bool) -> list[tuple[str, Mapping[str, Value]]]:
    """The tracks that a rule is judged on, with what it sees there: a rule of deals once per live deal (rule 13)."""
    state = timeline.state
    if not of_deals:
        return [("", state.own.values)]
    deals = {name: known.track for name, known in state.deals.items() if not known.track.deleted and deal in ("", name)}
    return [(name, {**state.own.values, **deals[name].values}) for name in sorted(deals)] or [("", state.own.values)]


def _decided(rule: Rule, move: Move) -> str:
    """The rule in words, as far as it decided this move: of several signals those that came."""
    if move.timer and move.kind == "expire" and isinstance(rule, Stage) and rule.expires is not None:
        return expiry_words(rule.expires)
    conversion, event = move.read.get("conversion"), move.read.get("event")
    if conversion is not None:
        return f"when: conversion {conversion}"
    came = [signal for signal in rule.when if event in signal.events]
    if came:
        return f"when: {signals_words(came)}"
    return f"while: {conditions_words(rule.while_)}" if rule.while_ else rule_words(rule)


def _next(funnel: Funnel, here: Point | None) -> Sequence[Rule]:
    """The places for which it is told what is missing."""
    if here is None:
        return funnel.stages[:1]
    if here.place != "stage":
        return ()
    names = [stage.name for stage in funnel.stages]
    later: Sequence[Stage] = funnel.stages[names.index(here.name) + 1 :] if here.name in names else ()
    return later[:1] or funnel.outcomes


def _is_of(body: Mapping[str, Any], funnel: str, deal: str) -> bool:
    return body["funnel"] == funnel and (body["deal"] or "") == deal


def _told(body: Mapping[str, Any]) -> Told:
    return Told(
        op=body["op"],
        recorded_at=body["recorded_at"],
        kind=body["kind"],
        from_=_place(body["from"]),
        to=_place(body["to"]),
        effective_at=body["effective_at"],
        skipped=body["skipped"],
        flags=body["flags"],
    )


def _place(point: Mapping[str, Any] | None) -> str | None:
    return None if point is None else next(str(point[place]) for place in ("stage", "outcome", "detour") if place in point)


def _name(point: Point | None) -> str | None:
    return point.name if point is not None else None


def _converted(match: Match) -> Converted:
    return Converted(match.name, format_instant(match.effective_at), match.counted, match.advanced)
