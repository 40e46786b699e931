"""`explain` on five leads of the Olist replay: what the documents show is what it says."""

from pathlib import Path

from tests.acceptance.explained import LEADS, PAGE, page


def test_the_page_shows_what_is_explained(shared: Path, tmp_path: Path) -> None:
    assert len(LEADS) == 5
    assert page(tmp_path) == PAGE.read_text(), "write it anew: python -m tests.acceptance.explained"
