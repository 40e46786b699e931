"""Where the cases, samples and data sets lie that the tests share with the product's documents: `../shared` beside the checkout.

They are no part of the repository, so a checkout may stand without them. Then the tests that read them are skipped, with one
reason that the session's summary counts aloud; with them there, such a skip is a failure (`completeness.py`).
"""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("FUNNELSTREAM_SHARED") or ROOT.parent / "shared").resolve()
ABSENT = "../shared is not beside this checkout"


def shared_files(pattern: str) -> list[object]:
    """List files of ../shared as parameters of a test, so that each file is a test of its own.

    Args:
        pattern: A glob relative to ../shared, as `cases/*.test.yml`.

    Returns:
        One parameter per file, a `Path`, named for the file. Where ../shared is absent, one parameter that is skipped.

    Raises:
        FileNotFoundError: If ../shared is there and holds no such file; the tests would vanish without a word.
    """
    if not SHARED.is_dir():
        return [pytest.param(None, id="absent", marks=[pytest.mark.shared, pytest.mark.skip(reason=ABSENT)])]
    files = sorted(SHARED.glob(pattern))
    if not files:
        raise FileNotFoundError(
            f"{SHARED} holds no {pattern}: mend the pattern, or FUNNELSTREAM_SHARED if it names another folder"
        )
    return [pytest.param(file, id=file.name, marks=pytest.mark.shared) for file in files]
