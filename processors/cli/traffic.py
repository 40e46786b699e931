"""`funnelstream traffic`: the demo's invented people in an installation's topics, so that pages and dashboards show something.

They cannot be told from real ones afterwards, so it asks before it begins. Every start invents others.
"""

import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processors.cli.loading import Loaded, load
from processors.engine.stop import ENVIRONMENT, INPUT, Stop
from processors.simulation.traffic import SOURCES, Traffic
from schemas.instants import MILLISECOND

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

NOT_CONFIRMED = 130
"""As when interrupted: whoever was asked said no."""
_TURN = 0.2
_DELIVERED_WITHIN = 10.0
"""Seconds."""


def traffic(
    config: Annotated[Path, typer.Option(help="The application's configuration, with a source `web` and a source `crm`.")],
    rate: Annotated[float, typer.Option(min=0.1, max=500, help="Records a second.")] = 2.0,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long; until SIGTERM when absent.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Send the demo's invented people to the sources of an installation that is there for trying things out."""
    if not (yes or sys.stdin.isatty()):
        raise typer.BadParameter("nobody can be asked here: confirm with --yes that invented people may go into these topics")
    loaded = load(config)
    topics = _topics(loaded)
    named = ", ".join(topics.values())
    if not yes and not typer.confirm(f"Invented people go into {named}, and stay there. Do this?", err=True):
        typer.echo("nothing was sent", err=True)
        raise typer.Exit(NOT_CONFIRMED)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    sent = _Sender(loaded, topics).send(rate, seconds, ended)
    typer.echo(f"{sent} records were sent to {named}", err=True)


def _topics(loaded: Loaded) -> dict[str, str]:
    """The first topic of each source that the demo speaks for."""
    sources = loaded.application.sources
    for name, format in SOURCES.items():
        if name not in sources or sources[name].format != format:
            raise Stop(INPUT, f"sources.{name}: the demo's people need a source of this name with format: {format}; add one.")
    return {name: sources[name].topics[0] for name in SOURCES}


class _Sender:
    """Produces to topics that are there."""

    def __init__(self, loaded: Loaded, topics: dict[str, str]) -> None:
        from confluent_kafka import Producer

        from processors.cli.run import engine_settings, log_to_stderr
        from processors.engine.broker_errors import BrokerErrors
        from processors.engine.contact import first_contact
        from processors.engine.settings import Clients, make_client

        log_to_stderr("error")
        settings = engine_settings(loaded, "traffic")
        clients = Clients(settings)
        self._topics = topics
        self._refused: tuple[KafkaError, str] | None = None
        self._errors = BrokerErrors(settings.kafka, settings.application, clients.transactional_id)
        self._producer: Producer = make_client(Producer, clients.admin() | {"linger.ms": "20"} | self._errors.options())
        first_contact(self._producer, self._errors, settings.connect_within)

    def send(self, rate: float, seconds: float | None, ended: threading.Event) -> int:
        """Send until it is over; returns how many records.

        Raises:
            Stop: The brokers do not take them.
        """
        start, seed, sent = time.monotonic(), time.time_ns() // 1_000 // MILLISECOND, 0
        people = Traffic(rate, seed, first_contact=seed)
        while not ended.wait(_TURN) and (seconds is None or time.monotonic() - start < seconds):
            for message in people.until(time.monotonic() - start, time.time_ns() // 1_000):
                self._produce(self._topics[message.source], message.value)
                sent += 1
            self._producer.poll(0)
            self._raise_refused()
        self._producer.flush(_DELIVERED_WITHIN)
        self._raise_refused()
        return sent

    def _produce(self, topic: str, value: bytes) -> None:
        """Send one; librdkafka refuses at once what the brokers have refused of this topic before."""
        from confluent_kafka import KafkaException

        from processors.engine.triage import error_of

        try:
            self._producer.produce(topic, value, on_delivery=self._delivered)
        except KafkaException as raised:
            self._refused = self._refused or (error_of(raised), topic)

    def _delivered(self, error: "KafkaError | None", message: "Message") -> None:
        if error is not None:
            self._refused = self._refused or (error, message.topic() or "")

    def _raise_refused(self) -> None:
        from processors.engine.triage import UNKNOWN_TOPIC, ending

        self._errors.raise_deadly()
        if self._refused is None:
            return
        error, topic = self._refused
        if error.code() in UNKNOWN_TOPIC:
            mend = "create it with `funnelstream topics create --config FILE --with-sources`"
            raise Stop(ENVIRONMENT, f"topic {topic}, which invented people go into, is not there: {mend}.")
        raise ending(error, "sending a record", topic, "WRITE")
