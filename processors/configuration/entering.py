"""Stages, detours and outcomes: keys that fit together, and rules that somebody could ever satisfy."""

from collections.abc import Collection, Iterator

from processors.configuration.contradictions import Known, contradiction, signal_contradiction
from processors.configuration.outline import POSITIONS, Outline, Rule
from schemas.conditions import Happened
from schemas.mistakes import Mistake


def check_entering(outline: Outline, able: Collection[str]) -> Iterator[Mistake]:
    """What makes a rule unsatisfiable, or a key of it pointless.

    Args:
        outline: The file.
        able: The conversions that can match, those of libraries included.
    """
    known = Known(able, outline.orderings())
    for rule in outline.of(*POSITIONS):
        yield from _keys_that_need_others(rule)
        yield from _never_expires(rule)
        yield from _never(rule, known)
    for rule in outline.of("conversions"):  # what they wait for is judged as a whole (`matching.py`), not signal by signal
        yield from _never(rule, known._replace(able=rule.asks_for))
    yield from _validity(outline)
    yield from _grains(outline)
    for path, segment in outline.named("segments"):
        if isinstance(segment, dict) and "touch" in segment and segment.get("rule") in ("at_entry", "current"):
            yield Mistake((*path, "touch"), f"touch has no meaning for {segment['rule']}: leave it out", of_key=True)


def _keys_that_need_others(rule: Rule) -> Iterator[Mistake]:
    keys = rule.keys
    if "when" not in keys and "while" not in keys:
        sentence = f"{rule.word} {rule.name} has neither when nor while: nobody could ever enter it; write one of them"
        yield Mistake(rule.path, sentence)
    if "lapse" in keys and "while" not in keys:
        yield Mistake((*rule.path, "lapse"), "lapse without while: only a state can lapse; leave lapse out", of_key=True)
    if "expires" in keys and "when" not in keys:
        sentence = "expires on a state: only what `when` latched expires; leave it out, or write `when`"
        yield Mistake((*rule.path, "expires"), sentence, of_key=True)
    if keys.get("resets") is True and "when" not in keys:
        yield Mistake(
            (*rule.path, "resets"),
            "resets without when: it is an event that resets; write `when`, or leave resets out",
            of_key=True,
        )


def _never_expires(rule: Rule) -> Iterator[Mistake]:
    """A conversion that happened stays happened, so a `while` on it holds the stage that its signal latched for ever."""
    latching = {name for _, signal in rule.signals for name in signal.conversions}
    holding = {name for _, state in rule.conditions if isinstance(state, Happened) for name in state.conversions}
    only_conversions = all(signal.conversions for _, signal in rule.signals)
    if "expires" in rule.keys and latching and only_conversions and latching <= holding:
        sentence = (
            f"{rule.word} {rule.name} never expires: its `while` asks whether {sorted(latching)[0]} has happened, and that stays "
            "true; leave one of the two out"
        )
        yield Mistake((*rule.path, "expires"), sentence, of_key=True)


def _never(rule: Rule, known: Known) -> Iterator[Mistake]:
    for path, signal in rule.signals:
        if reason := signal_contradiction(signal, known):
            yield Mistake(path, f"{rule.word} {rule.name} can never be reached by this signal: {reason}")
    for path, condition in rule.conditions:
        if reason := contradiction(condition, known):
            yield Mistake(path, f"{rule.word} {rule.name} can never be entered by this state: {reason}")


def _validity(outline: Outline) -> Iterator[Mistake]:
    if outline.is_library:
        return
    starts, shadow = "effective_from" in outline.keys, outline.keys.get("shadow") is True
    if starts and shadow:
        yield Mistake(("shadow",), "a shadow has no effective_from: leave one of the two out", of_key=True)
    if not starts and not shadow:
        mend = "write effective_from: 2026-01-01, or shadow: true to try it out"
        yield Mistake(("effective_from",), f"effective_from missing: nothing says from when its rules apply; {mend}")


def _grains(outline: Outline) -> Iterator[Mistake]:
    subject, also = outline.keys.get("subject"), outline.keys.get("also")
    reads_deals = any(rule.reads("deal") for rule in outline.of(*POSITIONS))
    if subject == "deal" and not reads_deals:
        yield Mistake(
            ("subject",), "subject deal, but no stage or outcome reads deal.*: write a rule that does, or subject: lead"
        )
    if subject == "deal" and reads_deals:
        yield from _own_rules(outline)
    listed = also if isinstance(also, list) else []
    for index, grain in enumerate(listed):
        if grain == subject or grain in listed[:index]:
            yield Mistake(("also", index), f"{grain} is counted already: `also` lists further grains; leave it out")
        elif grain == "deal" and not reads_deals:
            yield Mistake(
                ("also", index), "also deal, but no stage or outcome reads deal.*: write a rule that does, or leave it out"
            )


def _own_rules(outline: Outline) -> Iterator[Mistake]:
    """A funnel of deals judges its rules once per deal; what reads nothing of a deal says nothing about any, detours aside."""
    for rule in outline.of("stages", "outcomes"):
        if (rule.signals or rule.conditions) and not rule.reads("deal"):
            sentence = (
                f"no deal can ever enter {rule.word} {rule.name}: it reads nothing of a deal; test a field deal.* in it, or "
            )
            yield Mistake((*rule.path, "name"), f"{sentence}write subject: lead with also: [deal]")
