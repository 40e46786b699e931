"""The compiler: one definition, as written and checked, becomes the rules that the fold calls.

Predicates of `classification` become rules of `stages` here; neither knows of the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from processors.classification.counting import SESSION, Classifier
from processors.classification.predicates import Orderings, Predicate, TypeOf, compile_condition
from processors.classification.signals import Fires, compile_signal, conditions_in, conversions_in, fields_in
from processors.stages.rules import Amount, ConversionRule, Expiry, OutcomeRule, RateRule, Rule, SegmentRule, StageRule
from processors.stages.version import Version
from schemas.conditions import AnyOf, Condition, FieldTest, Signal
from schemas.definitions import Detour, Funnel, Money, Outcome, Rate, Segment, Stage
from schemas.field_names import is_event_field, is_state_field


def compile_funnel(funnel: Funnel, type_of: TypeOf, authority: Mapping[str, tuple[str, ...]]) -> Version:
    """Compile one funnel version.

    Args:
        funnel: The definition, already checked.
        type_of: Type of each state field.
        authority: Field to the sources that may write it, strongest first.
    """
    compiler, read = _Compiler(funnel.orderings, type_of), fields_read(funnel)
    return Version(
        funnel=funnel.funnel,
        number=funnel.version,
        digest=funnel.digest,
        subject=funnel.subject,
        walks_deals=funnel.subject == "deal" or "deal" in funnel.also,
        effective_from=funnel.effective_from or 0,
        lateness=funnel.policies.lateness,
        backward=funnel.policies.backward,
        flag_skips=funnel.policies.skip == "flag",
        reenter=funnel.policies.after_outcome == "reenter",
        times=frozenset(field for field in read if type_of(field) == "time"),
        authority=authority,
        keeps=frozenset(read),
        classify=Classifier(funnel.all_conversions, funnel.orderings, type_of),
        conversions={
            conversion.name: ConversionRule(
                owner=conversion.owner or funnel.owner,
                paths=_paths(conversion.when),
                fields=tuple(dict.fromkeys(field for signal in conversion.when for field in fields_in(signal.condition))),
                value=_amount(conversion.value),
                events=tuple(dict.fromkeys(event for signal in conversion.when for event in signal.events)),
            )
            for conversion in funnel.all_conversions
        },
        stages=tuple(compiler.stage(index, stage) for index, stage in enumerate(funnel.stages)),
        detours=tuple(compiler.rule("detours", index, detour) for index, detour in enumerate(funnel.detours)),
        outcomes=tuple(compiler.outcome(index, outcome) for index, outcome in enumerate(funnel.outcomes)),
        segments=tuple(compiler.segment(name, segment) for name, segment in funnel.segments.items()),
        value=_amount(funnel.value),
        rates=tuple(_rate(funnel, rate) for rate in funnel.rates),
        retired={stage: None if successor == "remove" else successor for stage, successor in funnel.retired.items()},
    )


_PLACES = {"stages": "stage", "detours": "detour", "outcomes": "outcome"}


class _Compiler(NamedTuple):
    orderings: Orderings
    type_of: TypeOf

    def rule(self, section: str, index: int, written: Stage | Detour | Outcome) -> Rule:
        return Rule(**self._parts(section, index, written))

    def stage(self, index: int, written: Stage) -> StageRule:
        parts = self._parts("stages", index, written)
        said = written.expires
        expires = Expiry(said.after, said.anchor == "last") if said is not None else None
        return StageRule(
            **parts,
            optional=written.optional,
            keep=written.lapse == "keep",
            resets=written.resets,
            expires=expires,
            sla=written.sla,
        )

    def outcome(self, index: int, written: Outcome) -> OutcomeRule:
        return OutcomeRule(**self._parts("outcomes", index, written), won=written.result == "won")

    def segment(self, name: str, written: Segment) -> SegmentRule:
        touch = written.touch
        touches = None if touch is None else dict.fromkeys(touch.events, compile_signal(touch, self.orderings, self.type_of))
        conversions = frozenset(touch.conversions) if touch is not None else frozenset()
        return SegmentRule(name=name, rule=written.rule, sources=written.value, touches=touches, conversions=conversions)

    def _parts(self, section: str, index: int, written: Stage | Detour | Outcome) -> dict[str, Any]:
        conditions = [*written.while_, *(signal.condition for signal in written.when)]
        reads = dict.fromkeys(name for condition in conditions for name in conversions_in(condition))
        reads.update(dict.fromkeys(name for signal in written.when for name in signal.conversions))
        fields = tuple(dict.fromkeys(field for condition in conditions for field in fields_in(condition)))
        return {
            "place": _PLACES[section],
            "name": written.name,
            "label": f"{section}.{written.name}",
            "index": index,
            "fires": self._fires(written.when),
            "latched_by": frozenset(name for signal in written.when for name in signal.conversions),
            "holds": self._condition(AnyOf(parts=written.while_)) if written.while_ else None,
            "at": written.at,
            "fields": fields,
            "passing": _passing(written.while_),
            "conversions": frozenset(reads),
            "paths": _paths(written.when),
            "of_deals": any(field.startswith("deal.") for field in (*fields, written.at or "")),
        }

    def _fires(self, signals: Sequence[Signal]) -> Mapping[str, tuple[Fires | None, ...]]:
        by_event: dict[str, tuple[Fires | None, ...]] = {}
        for signal in signals:
            compiled = compile_signal(signal, self.orderings, self.type_of)
            for event in signal.events:
                by_event[event] = (*by_event.get(event, ()), compiled)
        return by_event

    def _condition(self, condition: Condition | None) -> Predicate:
        return compile_condition(condition, self.orderings, self.type_of)


def _passing(conditions: Sequence[Condition]) -> tuple[str, ...]:
    """The fields that conditions wait for to pass."""
    leaves = (leaf for condition in conditions for leaf in conditions_in(condition))
    return tuple(dict.fromkeys(leaf.field for leaf in leaves if isinstance(leaf, FieldTest) and leaf.operator == "passed"))


def _amount(money: Money | None) -> Amount | None:
    return None if money is None else Amount(money.amount, money.currency)


def _paths(signals: Sequence[Signal]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for signal in signals for path in fields_in(signal.where)))


def signals_of(funnel: Funnel) -> Iterable[Signal]:
    """Every signal of a funnel: of its conversions, stages, detours and outcomes, and the touches of its segments (rule 26)."""
    for conversion in funnel.all_conversions:
        yield from conversion.when
    for place in (*funnel.stages, *funnel.detours, *funnel.outcomes):
        yield from place.when
    yield from (segment.touch for segment in funnel.segments.values() if segment.touch is not None)


def paths_kept(funnel: Funnel) -> dict[str, dict[str, None]]:
    """What of each event a funnel keeps beside what its signals test, as paths by event name.

    Segments split by what any event of the funnel says (rule 26); a conversion has its amount (rule 28), and the session that it
    is counted in once (rule 3).
    """
    split = [path for segment in funnel.segments.values() for path in segment.value if is_event_field(path)]
    kept = {event: dict.fromkeys(split) for signal in signals_of(funnel) for event in signal.events}
    for conversion in funnel.all_conversions:
        paths = [path for path in _captured(conversion.value) if is_event_field(path)]
        if conversion.count.method == "once_per_session":
            paths.append(SESSION)
        for event in (event for signal in conversion.when for event in signal.events):
            kept[event].update(dict.fromkeys(paths))
    return kept


def _rate(funnel: Funnel, rate: Rate) -> RateRule:
    return RateRule(
        name=rate.name,
        start=rate.from_,
        end=rate.to,
        within=rate.within,
        touched=rate.count == "touched",
        of_deals="deal" in (funnel.subject, rate.grain),
        to_outcome=any(outcome.name == rate.to for outcome in funnel.outcomes),
        won=any(outcome.name == rate.to and outcome.result == "won" for outcome in funnel.outcomes),
    )


def _captured(value: Money | None) -> tuple[str, ...]:
    return () if value is None else (value.amount, value.currency)


def fields_captured(funnel: Funnel) -> dict[str, None]:
    """The state fields whose values a funnel publishes: of its segments (rule 26) and amounts (rule 28)."""
    values = [_captured(funnel.value), *(_captured(conversion.value) for conversion in funnel.all_conversions)]
    values += [segment.value for segment in funnel.segments.values()]
    return dict.fromkeys(field for fields in values for field in fields if is_state_field(field))


def fields_read(funnel: Funnel) -> dict[str, None]:
    """The state fields a funnel reads: in conditions, as entry times, as what it captures."""
    read = fields_captured(funnel)
    for written in (*funnel.stages, *funnel.detours, *funnel.outcomes):
        for condition in written.while_:
            read.update(dict.fromkeys(fields_in(condition)))
        if written.at is not None:
            read[written.at] = None
    for signal in signals_of(funnel):
        read.update(dict.fromkeys(fields_in(signal.condition)))
    return read
