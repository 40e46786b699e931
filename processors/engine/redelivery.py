"""Sends dead letters back to their topics, each once (decision 8).

One Kafka transaction holds source records and, for each, a receipt in the dead-letters topic: both are there, or neither is. The
order is the guarantee: `Redelivery.start` fences every other replay of the application and ends its transaction (ER-23), and only
then are letters and receipts read, so what an earlier replay has committed is known, and what a killed one had open is gone.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from processors.engine.broker_errors import BrokerErrors
from processors.engine.destinations import BY_KEY, Destination, Destinations, Nowhere
from processors.engine.originals import Missing, whole_value
from processors.engine.settings import Clients, EngineSettings, make_client
from processors.engine.standalone import Standalone
from processors.engine.stop import AGAIN, ENVIRONMENT, Stop
from processors.engine.transaction import TooLarge, Transaction
from processors.engine.triage import MustAbort, error_of
from processors.engine.watchdog import Watchdog
from processors.topology.letters import NEVER, DeadLetter, Posted, receipt_headers, replayed_headers, replayed_timestamp

REPLAY_INSTANCE = "dlq-replay"
"""The transactional id of every replay is `<application>:dlq-replay`, so that two of one application fence each other."""

_MOST_RECORDS = 1_000
_MOST_BYTES = 8 << 20
_MOST_ABORTS = 5


class Outgoing(NamedTuple):
    """A dead letter on its way: the whole value of its source record, and where that goes."""

    letter: DeadLetter
    value: bytes | None
    to: Destination


class Left(NamedTuple):
    """A dead letter that stays, and why."""

    letter: DeadLetter
    why: str


class Plan:
    """Decides for one dead letter after the other whether it goes back, and where to. Sends nothing."""

    def __init__(self, destinations: Destinations, originals: Standalone, *, again: bool) -> None:
        """Prepare it.

        Args:
            destinations: Know the topics.
            originals: Reads source records of which only the beginning was kept.
            again: Whether what was sent back before goes again.
        """
        self._destinations = destinations
        self._originals = originals
        self._again = again

    def of(self, posted: Posted) -> Outgoing | Left:
        """What becomes of a dead letter; raises `Stop` when a permission is missing for it."""
        letter = posted.letter
        if posted.sent and not self._again:
            return Left(letter, "it was sent back already; --again sends it once more")
        if letter.reason in NEVER:
            return Left(letter, NEVER[letter.reason])
        try:
            to = self._destinations.of(letter)
            if letter.is_short and to.partition == BY_KEY:
                raise Missing("only its beginning was kept, and the partition where it lay is gone")
            return Outgoing(letter, whole_value(self._originals, letter), to)
        except (Nowhere, Missing) as why:
            return Left(letter, str(why))


class _Errors(BrokerErrors):
    """Says of a fenced producer what it means here."""

    def ending(self, error: KafkaError, call: str, topic: str = "") -> Stop:
        if error.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
            return Stop(
                AGAIN,
                "another `dlq replay` of this application has begun and ended this one. What this one had committed stands and "
                "is not sent again; run it again when the other is through, to see what is left.",
            )
        return super().ending(error, call, topic)


class Redelivery:
    """One replay; `start`, then `send`, then `close`."""

    def __init__(self, settings: EngineSettings) -> None:
        """Make the producer; nothing is connected yet.

        Args:
            settings: Those of the application, with `REPLAY_INSTANCE`.

        Raises:
            Stop: librdkafka does not take a setting.
        """
        clients = Clients(settings)
        self._settings = settings
        self._errors = _Errors(settings.application, clients.transactional_id)
        self._watchdog = Watchdog()
        producer = make_client(Producer, clients.producer() | self._errors.options() | {"log_level": 0})
        self._transaction = Transaction(producer, self._watchdog, self._errors, clients.transaction_timeout)

    def start(self) -> None:
        """Fence every other replay and end its transaction; raises `Stop` when this cannot be done."""
        self._watchdog.start()
        brokers = self._settings.kafka.get("bootstrap.servers")
        with self._fatal_told("init_transactions"):
            self._transaction.initialise(self._settings.connect_within, brokers, lambda: None)

    def close(self) -> None:
        """Close the producer; what is not committed is gone."""
        with suppress(KafkaException):  # of a producer that was fenced: it has nothing to abort any more
            self._transaction.close()
        self._watchdog.stop()

    def send(self, planned: Iterable[Outgoing | Left]) -> Iterator[Outgoing | Left]:
        """Send what goes out, in bounded transactions, and hand everything on once it is settled.

        Raises:
            Stop: It cannot go on. What was handed on stands; the rest was not sent.
        """
        batch: list[Outgoing] = []
        size = 0
        for each in planned:
            if isinstance(each, Left):
                yield each
                continue
            if len(batch) >= _MOST_RECORDS or (batch and size + len(each.value or b"") > _MOST_BYTES):
                yield from self._commit(batch)
                batch, size = [], 0
            batch.append(each)
            size += len(each.value or b"")
        if batch:
            yield from self._commit(batch)

    def _commit(self, batch: list[Outgoing]) -> list[Outgoing | Left]:
        """One transaction, tried again while it is abortable."""
        for attempt in count(1):
            self._transaction.begin()
            try:
                with self._fatal_told("sending dead letters"):
                    settled = [self._produce(each) for each in batch]
                    self._transaction.commit_records()
            except MustAbort as why:
                self._transaction.abort()
                self._give_up(why, attempt)
                time.sleep(0.1 * 2**attempt)
            else:
                return settled
        raise AssertionError  # count() does not end

    def _produce(self, each: Outgoing) -> Outgoing | Left:
        letter, to = each.letter, each.to
        produce = self._transaction.produce
        try:
            produce(
                to.topic,
                each.value,
                letter.key,
                replayed_headers(letter),
                to.partition,
                timestamp=replayed_timestamp(letter),
            )
        except TooLarge:  # it was not added, and so gets no receipt
            return Left(letter, f"it has {len(each.value or b'')} bytes, over message.max.bytes: raise it under kafka")
        produce(self._settings.topics.dead_letters, None, letter.key, receipt_headers(letter, str(to)), letter.place.partition)
        return each

    @contextmanager
    def _fatal_told(self, call: str) -> Iterator[None]:
        """A fatal error may come out of any poll(), besides the call that it belongs to."""
        try:
            yield
        except KafkaException as raised:
            raise self._errors.ending(error_of(raised), call) from raised

    def _give_up(self, why: MustAbort, attempt: int) -> None:
        undelivered = self._transaction.undelivered()  # known from the second attempt on
        if undelivered is not None:
            error, topic = undelivered
            raise Stop(
                ENVIRONMENT,
                f"a record could not be delivered to {topic}: {error.str()}. Nothing of its transaction was sent; mend it, or "
                "leave it out by the options, and run the replay again: it goes on where this one ended.",
            )
        if attempt >= _MOST_ABORTS:
            raise Stop(AGAIN, f"{attempt} transactions in a row were aborted, the last because of: {why}. Run it again.")
