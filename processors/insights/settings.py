"""What insights is told. Guards that nothing is shown to a network without a token."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from processors.engine.stop import INPUT, Stop
from processors.metrics.exchange import Exchange
from processors.metrics.outlines import Outlines
from processors.shown.masking import Mask
from schemas.application import OwnTopics
from schemas.definitions import Funnel

SHORTEST_TOKEN = 16
"""Characters."""


@dataclass(frozen=True)
class InsightsSettings:
    """All that insights needs to know.

    Attributes:
        application: Names the consumer group, `NAME-insights`.
        kafka: librdkafka settings, as the configuration has them.
        topics: The application's own topics.
        listen: `host:port`; port 0 is any free one.
        token: What a visitor must show; None: nobody is asked.
        mask: What is personal, and what is shown instead.
        handle_key: Of the handles that stand for subjects in addresses.
        outlines: What the numbers are called.
        funnels: Every version of every funnel, for the catalogue.
        exchange: Rates of the reporting currency, if there is one.
        named: The published identifier that a person means; None: of no namespace.
    """

    application: str
    kafka: Mapping[str, str]
    topics: OwnTopics
    listen: str
    token: str | None
    mask: Mask
    handle_key: bytes
    outlines: Outlines
    funnels: Sequence[Funnel]
    exchange: Exchange | None
    named: Callable[[str], str | None]

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"{self.application}-insights"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


def check_address(settings: InsightsSettings) -> None:
    """Refuse to be asked by other machines without asking them who they are.

    Raises:
        Stop: The address can be reached from outside and there is no token, or the token could be guessed.
    """
    host, port = settings.address
    if settings.token is not None and len(settings.token.strip()) < SHORTEST_TOKEN:
        raise Stop(
            INPUT,
            f"insights.token: a token has at least {SHORTEST_TOKEN} characters, so that nobody guesses it: make one with "
            "`openssl rand -hex 32`, or leave it out and listen on this machine only.",
        )
    if settings.token is None and not is_loopback(host):
        raise Stop(
            INPUT,
            f"insights.listen: {settings.listen} can be reached from other machines, and insights.token is not set: anybody "
            "could read these numbers. Set a token (make one with `openssl rand -hex 32`, and name it as "
            f"token: ${{file:/run/secrets/insights}}), or listen on 127.0.0.1:{port}.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, which may mean anything
        return False
