"""The file of exchange rates that `money.rates` names: CSV lines of date,currency,rate, every mistake with its line and its mend.

Workers never read it: amounts stay in their currencies until somebody looks at them (rule 28), so a rate can be mended at
any time.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from io import StringIO
from itertools import islice
from pathlib import Path as File

from processors.configuration.problems import Problem, Unreadable
from schemas.application import MoneySettings
from schemas.exchange import DatedRate
from schemas.mistakes import shown

_COLUMNS = ("date", "currency", "rate")
_HEADER = ",".join(_COLUMNS)
_EXAMPLE = "2026-01-31,USD,0.9245"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,30})?")
LARGEST_FILE = 64 << 20
"""Bytes; thirty years of daily rates of all currencies are 40 MB."""
_MOST_PROBLEMS = 100
"""That are told: a file of another kind has one in each of its lines."""


def load_rates(money: MoneySettings) -> tuple[tuple[DatedRate, ...], list[Problem]]:
    """Read the rates of a configuration.

    Args:
        money: Its section; `rates` is the path of the file.

    Returns:
        The rates by day, and every problem by line. Only without a problem are the rates whole.

    Raises:
        Unreadable: The file is missing or cannot be read.
    """
    file = File(money.rates)
    try:
        with file.open("rb") as opened:
            written = opened.read(LARGEST_FILE + 1)
    except OSError as reason:
        sentence = f"{file} cannot be read: {reason.strerror or reason}; write the path of the rates under `money.rates`"
        raise Unreadable(sentence) from None
    if len(written) > LARGEST_FILE:
        sentence = f"the file is larger than {LARGEST_FILE >> 20} MiB: leave out the days that no amount is of"
        return (), [Problem(str(file), 1, 1, "", sentence)]
    try:
        text = written.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        line = written.count(b"\n", 0, reason.start) + 1
        return (), [Problem(str(file), line, 1, "", "the line is no UTF-8 text: save the file as UTF-8")]
    reading = _Reading(str(file), money.reporting)
    problems = list(islice(reading.problems(text), _MOST_PROBLEMS))
    return tuple(sorted(reading.rates)), problems


class _Reading:
    """One file while it is read.

    Attributes:
        rates: Those that were read so far.
    """

    def __init__(self, file: str, reporting: str) -> None:
        self._file, self._reporting = file, reporting
        self._lines: dict[tuple[date, str], int] = {}
        self.rates: list[DatedRate] = []

    def problems(self, text: str) -> Iterator[Problem]:
        """Read the whole file; what is wrong with it, by line."""
        reader = csv.reader(StringIO(text, newline=""), strict=True)
        try:
            empty = True
            for values in filter(None, reader):
                if reader.line_num == 1 and tuple(map(str.strip, values)) == _COLUMNS:
                    continue
                empty = False
                yield from self._line(reader.line_num, values)
        except csv.Error as reason:
            yield self._problem(reader.line_num, f"the line is no CSV ({reason}): write a line such as {_EXAMPLE}")
            return
        if empty:
            yield self._problem(1, f"the file holds no rate, so no amount could be converted: write lines such as {_EXAMPLE}")

    def _line(self, number: int, values: list[str]) -> Iterator[Problem]:
        if len(values) != len(_COLUMNS):
            found = f"{len(values)} value{'' if len(values) == 1 else 's'}"
            yield self._problem(number, f"the line has {found}, not {_HEADER}: write {_EXAMPLE}, with a decimal point")
            return
        day, currency, rate = (value.strip() for value in values)
        complaints = (_of_day(day), _of_currency(currency), self._of_rate(currency, rate))
        for index, complaint in enumerate(complaints):
            if complaint:
                yield self._problem(number, complaint, index, values)
        if not any(complaints):
            yield from self._keep(number, values, DatedRate(date.fromisoformat(day), currency, Decimal(rate)))

    def _keep(self, number: int, values: list[str], rate: DatedRate) -> Iterator[Problem]:
        known = self._lines.setdefault((rate.day, rate.currency), number)
        if known == number:
            self.rates.append(rate)
            return
        sentence = f"{rate.currency} has a rate of {rate.day} in line {known} already: keep one of the two"
        yield self._problem(number, sentence, _COLUMNS.index("currency"), values)

    def _of_rate(self, currency: str, written: str) -> str | None:
        if not _NUMBER.fullmatch(written):
            return f"{shown(written)} is no rate: write a decimal number with a point, such as 0.9245"
        rate = Decimal(written)
        if rate == 0:
            return f"a rate of 0 would make every amount nothing: write the units of {self._reporting} per unit of {currency}"
        if currency == self._reporting and rate != 1:
            return f"{currency} is the reporting currency, whose rate is 1: leave the line out"
        return None

    def _problem(self, line: int, sentence: str, index: int = 0, values: Sequence[str] = ()) -> Problem:
        """Of a line, or of the value at `index` in it; where values are quoted its column is that without the quotes."""
        column = 1 + sum(len(value) + 1 for value in values[:index])
        return Problem(self._file, line, column, _COLUMNS[index] if values else "", sentence)


def _of_day(written: str) -> str | None:
    try:
        if _DAY.fullmatch(written):
            date.fromisoformat(written)
            return None
    except ValueError:
        return f"{written} is no day of the calendar: write the day from which the rate holds, such as 2026-01-31"
    return f"{shown(written)} is no date: write it in ISO 8601, such as 2026-01-31"


def _of_currency(written: str) -> str | None:
    if _CURRENCY.fullmatch(written):
        return None
    return f"{shown(written)} is no currency: write its ISO 4217 code in capital letters, such as USD"
