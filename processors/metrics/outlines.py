"""Outlines: what numbers need of the definitions to be read: names in their order, rates, segments, and when versions began.

`replay` writes them beside what it published, so that a report needs no definitions; every other reader makes them anew.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec

from schemas.application import Application
from schemas.definitions import Detour, Funnel, Outcome, Rate, Stage
from schemas.instants import DAY

PlaceKind = Literal["stage", "detour", "outcome"]
PLACE_KINDS: tuple[PlaceKind, ...] = get_args(PlaceKind)
"""In the order in which their places are shown."""


class Place(msgspec.Struct, frozen=True):
    """A stage, detour or outcome.

    Attributes:
        name: Its name.
        kind: Which of them it is.
        result: Of an outcome.
        optional: Of a stage that is left out of the path of others.
        sla: Whether a stay in it can miss a service level.
    """

    name: str
    kind: PlaceKind
    result: Literal["won", "lost", "other"] | None = None
    optional: bool = False
    sla: bool = False


class RateOutline(msgspec.Struct, frozen=True):
    """A declared rate; `within` in microseconds, None: unbounded. `since` is the number of the version that declared it."""

    name: str
    start: str
    end: str
    within: int | None
    cohort: Literal["day", "week", "month"]
    count: Literal["reached", "touched"]
    entries: Literal["first", "every"]
    since: int


class SegmentOutline(msgspec.Struct, frozen=True):
    """A segment; `top` values are shown by name."""

    name: str
    rule: str
    top: int


class VersionOutline(msgspec.Struct, frozen=True):
    """A version of a funnel.

    Attributes:
        number: Its number.
        effective_from: From when its rules apply, in microseconds.
        reason: Why it exists.
        owner: Who answers for it.
        places: Stages, detours and outcomes that it has, by name.
        dated: Those of them whose entries take their time from a field.
        retired: Stage of an earlier version to the one that takes over, or `remove`.
        segments: The names of its segments.
        first_touch: Those of the first touch.
    """

    number: int
    effective_from: int
    reason: str
    owner: str
    places: Mapping[str, PlaceKind]
    dated: Sequence[str]
    retired: Mapping[str, str]
    segments: Sequence[str]
    first_touch: Sequence[str]


class FunnelOutline(msgspec.Struct, frozen=True):
    """A funnel at one grain: what its numbers are called, in order.

    Attributes:
        funnel: Its name.
        grain: Whose numbers: the funnel's subject, or a grain that it publishes besides.
        places: Stages in funnel order, then detours, then outcomes; what only earlier versions had comes last of its kind.
        conversions: Their names; of a further grain none.
        rates: Those of this grain.
        segments: Values by which the numbers are split.
        versions: By the time they began.
        lateness: Microseconds for which late facts still change the numbers.
    """

    funnel: str
    grain: str
    places: Sequence[Place]
    conversions: Sequence[str]
    rates: Sequence[RateOutline]
    segments: Sequence[SegmentOutline]
    versions: Sequence[VersionOutline]
    lateness: int

    @property
    def version(self) -> int:
        """Number of the newest version."""
        return self.versions[-1].number

    @property
    def stages(self) -> list[str]:
        """The names of its stages, in funnel order."""
        return [place.name for place in self.places if place.kind == "stage"]

    def rate(self, name: str) -> RateOutline | None:
        """The rate of a name."""
        return next((rate for rate in self.rates if rate.name == name), None)

    def segment(self, name: str) -> SegmentOutline | None:
        """The segment of a name."""
        return next((segment for segment in self.segments if segment.name == name), None)


class Outlines(msgspec.Struct, frozen=True):
    """What reading the numbers of one application needs.

    Attributes:
        funnels: By funnel, then by grain with the funnel's subject first.
        reporting: Currency into which amounts are converted; None: they stay in their own.
        label_values: The most values of any segment that are shown by name; None: as each segment's `top` says.
        keep: Days for which numbers are kept by the day; None: for ever.
        as_of: Until when time has passed, in microseconds; None: it goes on.
    """

    funnels: Sequence[FunnelOutline]
    reporting: str | None = None
    label_values: int | None = None
    keep: int | None = None
    as_of: int | None = None


def outline_funnels(funnels: Sequence[Funnel]) -> list[FunnelOutline]:
    """The outlines of funnels in all their versions: the newest one's order first, then what only earlier ones had.

    Deals that are published beside their leads have an outline of their own; conversions are the leads'. Shadows have none:
    what they publish is no official number.
    """
    versions: dict[str, list[Funnel]] = {}
    for funnel in sorted(funnels, key=lambda funnel: (funnel.effective_from or 0, funnel.version), reverse=True):
        if not funnel.shadow:
            versions.setdefault(funnel.funnel, []).append(funnel)
    return [
        _outline(name, grain, found)
        for name, found in sorted(versions.items())
        for grain in dict.fromkeys((found[0].subject, *found[0].also))
    ]


def outlines_of(funnels: Sequence[Funnel], application: Application) -> Outlines:
    """What reading the numbers of an application needs."""
    reporting = None if application.money is None else application.money.reporting
    kept = application.topics.keep_metrics
    keep = None if kept is None else kept // DAY
    return Outlines(outline_funnels(funnels), reporting, application.limits.label_values, keep)


def _outline(name: str, grain: str, newest_first: Sequence[Funnel]) -> FunnelOutline:
    newest = newest_first[0]
    own = grain == newest.subject
    return FunnelOutline(
        name,
        grain,
        _places(newest_first),
        [*dict.fromkeys(each.name for funnel in newest_first for each in funnel.all_conversions)] if own else [],
        _rates(newest_first, grain),
        _segments(newest_first),
        [_version(funnel) for funnel in newest_first[::-1]],
        newest.policies.lateness,
    )


def _version(funnel: Funnel) -> VersionOutline:
    return VersionOutline(
        funnel.version,
        funnel.effective_from or 0,
        funnel.reason,
        funnel.owner,
        {place.name: _place(place).kind for place in funnel.places},
        [place.name for place in funnel.places if place.at is not None],
        funnel.retired,
        [*funnel.segments],
        [name for name, segment in funnel.segments.items() if segment.rule == "first_touch"],
    )


def _places(newest_first: Sequence[Funnel]) -> list[Place]:
    found: dict[tuple[str, str], Place] = {}
    for place in (_place(place) for funnel in newest_first for place in funnel.places):
        found.setdefault((place.kind, place.name), place)
    return sorted(found.values(), key=lambda place: PLACE_KINDS.index(place.kind))


def _place(place: Stage | Detour | Outcome) -> Place:
    if isinstance(place, Stage):
        return Place(place.name, "stage", optional=place.optional, sla=place.sla is not None)
    return Place(place.name, "outcome", place.result) if isinstance(place, Outcome) else Place(place.name, "detour")


def _rates(newest_first: Sequence[Funnel], grain: str) -> list[RateOutline]:
    found: dict[str, RateOutline] = {}
    for funnel in newest_first:
        for rate in funnel.rates:
            if (rate.grain or funnel.subject) == grain:
                found.setdefault(rate.name, _rate(rate, funnel.version))
                found[rate.name] = msgspec.structs.replace(found[rate.name], since=funnel.version)
    return [*found.values()]


def _rate(rate: Rate, version: int) -> RateOutline:
    return RateOutline(rate.name, rate.from_, rate.to, rate.within, rate.cohort, rate.count, rate.entries, version)


def _segments(newest_first: Sequence[Funnel]) -> list[SegmentOutline]:
    found: dict[str, SegmentOutline] = {}
    for funnel in newest_first:
        for name, segment in funnel.segments.items():
            found.setdefault(name, SegmentOutline(name, segment.rule, segment.top))
    return [*found.values()]
