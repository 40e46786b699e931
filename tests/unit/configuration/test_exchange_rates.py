"""The file of exchange rates: what it gives, and every mistake with its line and what to write instead."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from processors.configuration.exchange_rates import load_rates
from processors.configuration.problems import Problem, Unreadable
from schemas.application import MoneySettings
from schemas.exchange import DatedRate


def loaded(folder: Path, written: str | bytes) -> tuple[tuple[DatedRate, ...], list[Problem]]:
    """A file of this content, as it loads for amounts in EUR."""
    file = folder / "rates.csv"
    file.write_bytes(written.encode() if isinstance(written, str) else written)
    return load_rates(MoneySettings(reporting="EUR", rates=str(file)))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_rates_are_exact_decimals_by_day_whatever_their_order(line_end: str, tmp_path: Path) -> None:
    """Spaces, quotes, empty lines, a byte order mark and the reporting currency itself do no harm."""
    lines = [
        "\ufeffdate,currency,rate",
        "2026-02-01, USD ,0.925",
        "",
        '2026-01-01,"USD",0.10000000000000000001',
        "2026-01-01,EUR,1.00",
    ]
    rates, problems = loaded(tmp_path, line_end.join(lines))
    assert problems == []
    assert rates == (
        DatedRate(date(2026, 1, 1), "EUR", Decimal(1)),
        DatedRate(date(2026, 1, 1), "USD", Decimal("0.10000000000000000001")),
        DatedRate(date(2026, 2, 1), "USD", Decimal("0.925")),
    )


@pytest.mark.parametrize(
    ("line", "place", "says"),
    [
        ("01/31/2026,USD,1", "3:1: date", "'01/31/2026' is no date: write it in ISO 8601, such as 2026-01-31"),
        ("20260131,USD,1", "3:1: date", "is no date: write it in ISO 8601"),
        ("2026-02-30,USD,1", "3:1: date", "2026-02-30 is no day of the calendar"),
        ("2026-01-31,usd,1", "3:12: currency", "'usd' is no currency: write its ISO 4217 code in capital letters"),
        ("2026-01-31,,1", "3:12: currency", "is no currency"),
        (
            "2026-01-31,USD,0,92",
            "3:1",
            "the line has 4 values, not date,currency,rate: write 2026-01-31,USD,0.9245, with a decimal",
        ),
        ("2026-01-31", "3:1", "the line has 1 value, not"),
        ("2026-01-31,USD,1e3", "3:16: rate", "'1e3' is no rate: write a decimal number with a point"),
        ("2026-01-31,USD,NaN", "3:16: rate", "is no rate"),
        ("2026-01-31,USD,-1", "3:16: rate", "is no rate"),
        ("2026-01-31,USD,٣", "3:16: rate", "is no rate"),
        ("2026-01-31,USD,0.000", "3:16: rate", "would make every amount nothing: write the units of EUR per unit of USD"),
        ("2026-01-31,EUR,0.5", "3:16: rate", "EUR is the reporting currency, whose rate is 1: leave the line out"),
        ("2026-01-02,USD,2", "3:12: currency", "USD has a rate of 2026-01-02 in line 2 already: keep one of the two"),
        ('2026-01-31,"USD,1', "3:1", "the line is no CSV"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_mend(line: str, place: str, says: str, tmp_path: Path) -> None:
    _, problems = loaded(tmp_path, f"date,currency,rate\n2026-01-02,USD,1.5\n{line}\n")
    (problem,) = problems
    assert str(problem).startswith(f"{tmp_path / 'rates.csv'}:{place}: ")
    assert says in problem.sentence


def test_the_names_of_the_values_may_be_left_out(tmp_path: Path) -> None:
    rates, problems = loaded(tmp_path, "2026-01-31,USD,1.5\n2026-02-01,USD,2\n")
    assert (len(rates), problems) == (2, [])
    _, problems = loaded(tmp_path, "currency,date,rate\nUSD,2026-01-31,1.5\n")
    assert [(problem.line, problem.key) for problem in problems][:2] == [(1, "date"), (1, "currency")], "in this order only"


def test_all_mistakes_of_a_file_come_in_one_go(tmp_path: Path) -> None:
    rates, problems = loaded(tmp_path, "date,currency,rate\nx,y,z\n2026-01-02,USD,1.5\n2026-01-03,USD,\n")
    assert [(problem.line, problem.key) for problem in problems] == [(2, "date"), (2, "currency"), (2, "rate"), (4, "rate")]
    assert len(rates) == 1
    assert len(loaded(tmp_path, "date,currency,rate\n" + "x\n" * 10_000)[1]) == 100, "a file of another kind is told so briefly"


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        ("", "1:1", "the file holds no rate, so no amount could be converted: write lines such as 2026-01-31,USD,0.9245"),
        ("date,currency,rate\n\n", "1:1", "the file holds no rate, so no amount could be converted"),
        (b"date,currency,rate\n2026-01-31,US\xff,1\n", "2:1", "the line is no UTF-8 text"),
        ("date,currency,rate\n" + "x" * 200_000, "2:1", "the line is no CSV (field larger than field limit"),
    ],
    ids=["empty", "no rate", "no text", "one long value"],
)
def test_a_file_that_is_none_of_rates(written: str | bytes, place: str, says: str, tmp_path: Path) -> None:
    rates, (problem,) = loaded(tmp_path, written)
    assert rates == ()
    assert f"{problem.line}:{problem.column}" == place
    assert says in problem.sentence


def test_a_file_that_cannot_be_read_is_told_with_the_key_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"rates.csv cannot be read: No such file"):
        load_rates(MoneySettings(reporting="EUR", rates=str(tmp_path / "rates.csv")))
