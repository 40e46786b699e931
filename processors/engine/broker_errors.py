"""What clients say about their connections, outside of any call: librdkafka has `error_cb` and a log, both served by poll().

A wrong password, CA or protocol otherwise looks like a hang (ER-16), and a permission error of a consumer is said once and then
never again (ER-13): so the last reason, a refusal and the deadly one are kept here for whoever must end the worker, and the rest
is logged without flooding.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

from processors.engine.refusals import Refusal, explained, refusal_of
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import Verdict, ending, triage

log = logging.getLogger(__name__)
client_log = logging.getLogger("librdkafka")
"""librdkafka's own lines, for whoever debugs: what matters of them comes through `error_cb`, but for connections that are closed
without a reason."""

_QUIET = 30.0
"""Seconds for which the same error is not logged again."""
_PATIENCE = 2.0
"""Seconds for which nothing but one uncertain refusal is heard until it counts. It is heard with the delay of one call, 2 s."""
_FRESH = 15.0
"""Seconds for which a refusal stands: librdkafka tries again after `reconnect.backoff.max.ms`, 10 s, at the latest."""


class BrokerErrors:
    """The `error_cb` and the `logger` of all clients of a worker."""

    def __init__(self, kafka: Mapping[str, object], application: str = "", transactional_id: str = "") -> None:
        """Begin with nothing said.

        Args:
            kafka: The settings of the clients, for what is said of their mistakes.
            application: The group that a permission can be missing for.
            transactional_id: The same.
        """
        self._kafka = kafka
        self._names = {
            KafkaError.GROUP_AUTHORIZATION_FAILED: application,
            KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: transactional_id,
        }
        self._last: KafkaError | None = None
        self._deadly: KafkaError | None = None
        self._refusal: tuple[Refusal, str] | None = None
        self._refused_since = self._refused_at = 0.0
        self._answered = False
        self._logged_at: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Take what a client says."""
        if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
            self._deadly = error
            return
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # the reason comes before this summary of it
            self._last = error
            self._weigh(f"{error.str()} ({error.name()})", error.code())
        now = time.monotonic()
        if now - self._logged_at.get(error.code(), -_QUIET) >= _QUIET:
            self._logged_at[error.code()] = now
            log.warning("brokers: %s (%s)", error.str(), error.name())

    def log(self, level: int, form: str, facility: str, client: str, line: str) -> None:
        """Take a line of librdkafka's log, as confluent-kafka hands it to a logger; FAIL is the end of a connection."""
        if facility == "FAIL":
            self._weigh(line.partition("]: ")[2])  # after the name of the thread
        if client_log.isEnabledFor(logging.DEBUG):
            client_log.log(level, form, facility, client, line)

    def _weigh(self, said: str, code: int | None = None) -> None:
        """A certain refusal stands whatever else is said, by other brokers for example; any other while nothing else is said."""
        now = time.monotonic()
        found, standing = refusal_of(said, code), self._refusal and self._refusal[0]
        if found is not None and found is standing:
            self._refused_at = now
        elif (found is not None and found.certain) or standing is None or not standing.certain:
            self._refusal = None if found is None else (found, said)
            self._refused_since = self._refused_at = now

    def options(self) -> dict[str, Any]:
        """What to add to every client's configuration."""
        return {"error_cb": self, "logger": self}

    def raise_deadly(self) -> None:
        """Raise `Stop` when a client reported an error that nobody survives."""
        if self._deadly is not None:
            raise self.ending(self._deadly, "a Kafka client")

    def ending(self, error: KafkaError, call: str, topic: str = "") -> Stop:
        """The end of the worker for an error of `call`, naming what a permission is missing for."""
        return ending(error, call, self._names.get(error.code(), topic))

    def reached(self) -> None:
        """A broker has answered: what was said before it did is forgotten, and silence of another one is no refusal any more."""
        self._last = self._refusal = None
        self._answered = True

    def refused(self) -> bool:
        """Whether the brokers were reached and do not let this client in: waiting will not help."""
        if self._refusal is None:
            return False
        uncertain = not self._answered and time.monotonic() - self._refused_since >= _PATIENCE
        return self._refusal[0].certain or uncertain

    def raise_barred(self) -> None:
        """Raise `Stop` when brokers certainly refuse this client now; for a worker that waits for the group to assign to it.

        One with an assignment goes on as long as its connections do. Nothing uncertain counts: an outage of the brokers can look
        like it, and does not end a worker.
        """
        if self._refusal and self._refusal[0].certain and time.monotonic() - self._refused_at < _FRESH:
            raise self.unreachable()

    def unreachable(self) -> Stop:
        """The end of a worker that could not connect."""
        brokers = self._kafka.get("bootstrap.servers")
        if self._refusal is not None:
            refusal, said = self._refusal
            sentence = f"the Kafka brokers {brokers} refuse this client: {explained(refusal, said, self._kafka)}"
            return Stop(ENVIRONMENT, sentence)
        reason = f"{self._last.str()} ({self._last.name()})" if self._last else "no answer"
        mend = "Check kafka.bootstrap.servers and that the brokers run"
        return Stop(ENVIRONMENT, f"no connection to the Kafka brokers {brokers}: {reason}. {mend}")
