"""Where Prometheus' own checker is: it alone evaluates rules as Prometheus does.

It is no part of Python's world, so a machine may be without it. Then the tests that need it are skipped, with one reason that
the session's summary counts aloud; where FUNNELSTREAM_REQUIRE_PROMTOOL is set they fail instead.
"""

import os
import shutil
import subprocess

import pytest

PROMTOOL_ABSENT = "promtool is not on the PATH (Debian and Ubuntu have it in the package prometheus)"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool; output and errors are one text. Skips the test where there is none, or fails it where one is required."""
    found = shutil.which("promtool")
    if found is None and os.environ.get("FUNNELSTREAM_REQUIRE_PROMTOOL"):
        pytest.fail(f"FUNNELSTREAM_REQUIRE_PROMTOOL is set, and {PROMTOOL_ABSENT}")
    if found is None:
        pytest.skip(PROMTOOL_ABSENT)
    return subprocess.run(
        [found, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
