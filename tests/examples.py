"""How many examples property tests try: all in `make test`, fewer in `make test-fast`, which is run again and again."""

import os

_FEWER = 4


def examples(number: int) -> int:
    """The number itself, or a part of it where FUNNELSTREAM_FEWER is set."""
    return number // _FEWER if os.environ.get("FUNNELSTREAM_FEWER") else number
