"""Hostile records down the whole path: whatever a topic holds, each ends as facts, a counted drop or a dead letter."""

from hypothesis import given, settings

from processors.sources.statement import SourceRecord
from tests.examples import examples
from tests.property.hostile import records
from tests.whole_path import drive


@settings(max_examples=examples(300))
@given(records)
def test_whatever_comes_is_accounted_for(given_records: list[SourceRecord]) -> None:
    drive(given_records)
