"""Whether fuzzing is guided by coverage here: atheris is, and has builds for some platforms only.

A machine may be without it. Then fuzzers mutate blindly and reach less, and the tests that need it are skipped, with one reason
that the session's summary counts aloud; where FUNNELSTREAM_REQUIRE_ATHERIS is set they fail instead.
"""

import importlib.util
import os

import pytest

ATHERIS_ABSENT = "atheris is not installed (it has builds for Linux on x86-64 and Python up to 3.13), so fuzzing is blind"


def guided() -> bool:
    """Whether there is an atheris here."""
    return importlib.util.find_spec("atheris") is not None


def require_guidance() -> None:
    """Skips the test where there is no atheris, or fails it where one is required."""
    if guided():
        return
    if os.environ.get("FUNNELSTREAM_REQUIRE_ATHERIS"):
        pytest.fail(f"FUNNELSTREAM_REQUIRE_ATHERIS is set, and {ATHERIS_ABSENT}")
    pytest.skip(ATHERIS_ABSENT)
