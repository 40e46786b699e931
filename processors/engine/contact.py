"""The first contact with the brokers, by whatever client makes it: they answer, or the reason why not comes out (ER-16)."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from confluent_kafka import KafkaException

from processors.engine.admin import ClusterMetadata
from processors.engine.broker_errors import BrokerErrors
from processors.engine.triage import Verdict, ending, error_of, triage

WITHIN = 30.0
"""Seconds to keep trying brokers that do not answer."""
_SLICE = 2.0
_LONGEST_PAUSE = 0.5
"""Seconds. With `_SLICE` the longest that a signal waits to be heard."""


class Client(Protocol):
    """What consumers, producers and admin clients have in common."""

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Brokers and topics."""
        ...

    def poll(self, timeout: float) -> Any:
        """Let callbacks run."""
        ...


def first_contact(
    client: Client, errors: BrokerErrors, within: float = WITHIN, beat: Callable[[], None] = lambda: None
) -> ClusterMetadata:
    """Brokers and topics that this user may see; waits for brokers that do not answer yet, backing off.

    Args:
        client: Made with the options of `errors`; a consumer must have nothing to read yet.
        errors: What its connections say.
        within: Seconds to keep trying.
        beat: Called between the tries.

    Raises:
        Stop: They did not answer in time, or refuse this client.
    """
    deadline = time.monotonic() + within
    pause = 0.1
    while True:
        beat()
        try:
            metadata = client.list_topics(timeout=_SLICE)
        except KafkaException as raised:
            error = error_of(raised)
        else:
            errors.reached()
            return metadata
        client.poll(0)
        errors.raise_deadly()
        if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
            raise ending(error, "reading the topics' metadata")
        if errors.refused() or time.monotonic() > deadline:
            raise errors.unreachable()
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
