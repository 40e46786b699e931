"""What was found about an installation, as values: `check` prints all, a worker does not start while one is missing."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

State = Literal["ok", "warning", "missing", "unknown"]
"""`missing`: a worker cannot run, or not rightly. `unknown`: it could not be asked, because of something that is missing."""


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        area: What kind of thing.
        subject: Which one, as its owner calls it.
        state: How it is.
        says: What was found.
        mend: The command, or what else to do; never empty where something is missing.
    """

    area: str
    subject: str
    state: State
    says: str
    mend: str = ""

    @property
    def sentence(self) -> str:
        """The finding for the log of a worker."""
        return f"{self.subject} {self.says}" + (f": {self.mend}" if self.mend else "")


def missing(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that keep a worker from running."""
    return [finding for finding in findings if finding.state == "missing"]
