"""Arrays of records: each element is decoded for itself, so that one bad element does not take the others with it."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from processors.sources.statement import MOST_FAULTS, Decoded, Statement, Undecodable


def decode_elements(elements: Sequence[Any], decode_one: Callable[[Any], Decoded]) -> Decoded:
    """The statements of all elements that can be used, and why the others cannot.

    Args:
        elements: Decoded JSON, of one record.
        decode_one: The statements of one element, or an `Undecodable`.

    Raises:
        Undecodable: There are none (`empty`), or not one can be used: then for the reason of the first.
    """
    if not elements:
        raise Undecodable("empty", "The array has no elements.")
    statements: list[Statement] = []
    faults: list[tuple[int, Undecodable]] = []
    more = 0
    unused: str | None = None
    for index, element in enumerate(elements):
        try:
            decoded = decode_one(element)
        except Undecodable as fault:
            if len(faults) < MOST_FAULTS:
                faults.append((index, fault.with_traceback(None)))  # a traceback would hold on to every frame
            else:
                more += 1
            continue
        if index == 0:  # they say so already, and it is often the only one
            statements += decoded.statements
        else:
            statements += [msgspec.structs.replace(statement, element=index) for statement in decoded.statements]
        unused = unused or decoded.unused
    if statements:
        return Decoded(statements, faults, more)
    if faults:
        index, first = faults[0]
        raise Undecodable(first.reason, f"No element of the array can be used. Element {index}: {first.sentence}")
    return Decoded((), unused=unused)
