"""A lineage: one funnel with all its versions, and which of them applies when (rule 23)."""

from collections.abc import Mapping

import msgspec

from processors.stages.rules import RateRule
from processors.stages.version import Version
from schemas.instants import FIRST


class Lineage(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One funnel with all its versions, which are folded into one timeline (rule 23).

    Attributes:
        name: Of the funnel.
        key: The bytes that name it in the store.
        versions: By `effective_from`, at least one; all of one subject.
        by_number: The same by their numbers; derived.
        subject: The grain it counts; derived.
        timed: Whether any of them arms a timer; derived.
    """

    name: str
    key: bytes
    versions: tuple[Version, ...]
    by_number: Mapping[int, Version] = {}
    subject: str = ""
    timed: bool = False

    def __post_init__(self) -> None:
        """Derive what is looked up often."""
        msgspec.structs.force_setattr(self, "by_number", {version.number: version for version in self.versions})
        msgspec.structs.force_setattr(self, "subject", self.latest.subject)
        msgspec.structs.force_setattr(self, "timed", any(version.timed for version in self.versions))
        kept = frozenset().union(*(version.keeps for version in self.versions))
        rates: dict[tuple[str, bool], RateRule] = {}
        for version in self.versions:
            since = version.effective_from if version is not self.versions[0] else FIRST - 1
            for rate in version.rates:
                rates.setdefault((rate.name, rate.of_deals), msgspec.structs.replace(rate, since=max(rate.since, since)))
            msgspec.structs.force_setattr(version, "keeps", kept)
            msgspec.structs.force_setattr(version, "rates", tuple(rates.values()))

    @property
    def latest(self) -> Version:
        """The version that applies last."""
        return self.versions[-1]

    @property
    def also(self) -> tuple[str, ...]:
        """Further grains that it publishes."""
        return ("deal",) if self.latest.walks_deals and self.subject != "deal" else ()

    def of_deals_alone(self) -> "Lineage":
        """The same funnel over a deal that belongs to no lead: only deals have a position in it."""
        versions = tuple(msgspec.structs.replace(version, subject="deal") for version in self.versions)
        return msgspec.structs.replace(self, versions=versions)

    def at(self, instant: int) -> Version:
        """The version with the largest `effective_from` at or before the instant; before the first, the first."""
        for version in reversed(self.versions):
            if version.effective_from <= instant:
                return version
        return self.versions[0]
