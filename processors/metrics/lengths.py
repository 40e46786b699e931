"""Distributions of lengths as sparse histograms of 1 % relative width, so that parts of them add up exactly (invariant 4)."""

from bisect import bisect_right
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, localcontext

CHUNK = 32
"""Neighbouring buckets that one published record carries."""
_LONGEST = 100 * 366 * 86_400 * 10**6
"""A hundred years in microseconds; what is longer counts as that."""


def bucket_of(length: int) -> int:
    """The bucket of a length in microseconds, at least 1: i where 1.01^i <= length < 1.01^(i+1)."""
    return bisect_right(_BOUNDS, length) - 1


def length_in(bucket: int) -> float:
    """The middle of a bucket in microseconds, within 0.5 % of every length that is in it."""
    return float(1.01 ** (bucket + 0.5))


def quantile(buckets: Mapping[int, int], share: float) -> float | None:
    """The length in microseconds that `share` (0 to 1) of all lengths do not exceed, within 0.5 %; None of no length.

    Args:
        buckets: How many lengths, by bucket.
        share: 0.5 for the median: of an even number the mean of the two in the middle, as for any share that falls between two.
    """
    total = sum(buckets.values())
    if total == 0:
        return None
    rank = share * (total - 1)
    low, high = _at_rank(buckets, int(rank)), _at_rank(buckets, min(int(rank) + 1, total - 1))
    return low + (high - low) * (rank - int(rank))


def _at_rank(buckets: Mapping[int, int], rank: int) -> float:
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if rank < seen:
            return length_in(bucket)
    raise ValueError(f"no length has rank {rank} among {seen}")


def _bounds() -> list[int]:
    """The smallest whole number in each bucket. Decimals: the logarithms of two machines may differ in their last digit."""
    bounds, power = [], Decimal(1)
    with localcontext() as context:
        context.prec = 60
        while power <= _LONGEST:
            bounds.append(int(power.to_integral_value(ROUND_CEILING)))
            power *= Decimal("1.01")
    return bounds


_BOUNDS = _bounds()
