"""What clients say about their connections, outside of any call: librdkafka reports it through `error_cb`, served by poll().

A wrong password, CA or protocol otherwise looks like a hang (ER-16), and a permission error of a consumer is said once and then
never again (ER-13): so the last reason and the deadly one are kept here for whoever must end the worker, and the rest is logged
without flooding.
"""

import logging
import time
from typing import Any

from confluent_kafka import KafkaError

from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import Verdict, ending, triage

log = logging.getLogger(__name__)
client_log = logging.getLogger("librdkafka")
"""librdkafka's own lines. What matters of them comes through `error_cb` too."""

_QUIET = 30.0
"""Seconds for which the same error is not logged again."""


class BrokerErrors:
    """The `error_cb` of all clients of a worker."""

    def __init__(self, application: str, transactional_id: str) -> None:
        """Begin with nothing said; the names are those a missing permission can be about."""
        self._names = {
            KafkaError.GROUP_AUTHORIZATION_FAILED: application,
            KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: transactional_id,
        }
        self._last: KafkaError | None = None
        self._deadly: KafkaError | None = None
        self._logged_at: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Take what a client says."""
        if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
            self._deadly = error
            return
        if error.code() != KafkaError._ALL_BROKERS_DOWN or self._last is None:  # the reason comes before this summary of it
            self._last = error
        now = time.monotonic()
        if now - self._logged_at.get(error.code(), -_QUIET) >= _QUIET:
            self._logged_at[error.code()] = now
            log.warning("brokers: %s (%s)", error.str(), error.name())

    def options(self) -> dict[str, Any]:
        """What to add to every client's configuration."""
        return {"error_cb": self, "logger": client_log}

    def raise_deadly(self) -> None:
        """Raise `Stop` when a client reported an error that nobody survives."""
        if self._deadly is not None:
            raise self.ending(self._deadly, "a Kafka client")

    def ending(self, error: KafkaError, call: str, topic: str = "") -> Stop:
        """The end of the worker for an error of `call`, naming what a permission is missing for."""
        return ending(error, call, self._names.get(error.code(), topic))

    def refused(self) -> bool:
        """Whether the brokers were reached and refuse us: waiting will not help."""
        return self._last is not None and self._last.code() == KafkaError._AUTHENTICATION

    def unreachable(self, brokers: object) -> Stop:
        """The end of a worker that could not connect."""
        reason = f"{self._last.str()} ({self._last.name()})" if self._last else "no answer"
        return Stop(
            ENVIRONMENT,
            f"no connection to the Kafka brokers {brokers}: {reason}. Check kafka.bootstrap.servers, security.protocol, the CA "
            "and the credentials, and that the brokers run (ER-16)",
        )
