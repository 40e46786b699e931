"""The worker's one transactional producer (ER-6): everything that leaves the worker leaves through here, or not at all.

Every call is bounded by its own timeout and by the watchdog, and every error goes through `triage`. What comes out is one of
three: the call has worked, the transaction must be aborted (`MustAbort`), or the worker ends (`Stop`).
"""

import struct
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import count

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from processors.engine.broker_errors import BrokerErrors
from processors.engine.stop import AGAIN, Stop
from processors.engine.triage import MustAbort, Verdict, error_of, triage
from processors.engine.watchdog import Watchdog
from processors.topology.effects import Headers

_SLICE = 2.0
"""Seconds of one init_transactions call: between two, poll() lets the client say why it waits (ER-16)."""
_CALL = 10.0
"""Seconds that one call may take before it is made again."""
_HANG = 20.0
"""Seconds past its own timeout after which a call is taken for hung (ER-15)."""
_PAUSE = 0.05
"""Seconds before a call is made again."""
_SETTLED = 10.0
"""Seconds past the transaction timeout by which the broker has decided every transaction."""

_METADATA = struct.Struct("=7si")

OnDelivery = Callable[[KafkaError | None, Message], None]


class TooLarge(Exception):
    """produce() refused a record over `message.max.bytes`; the transaction goes on without it, so the caller must act (ER-11)."""


class Transaction:
    """Begins, fills, commits and aborts one transaction after the other.

    Attributes:
        is_open: A transaction has begun and was neither committed nor aborted.
    """

    def __init__(self, producer: Producer, watchdog: Watchdog, errors: BrokerErrors, timeout: float) -> None:
        """Wrap a transactional producer.

        Args:
            producer: Configured by `Clients.producer`.
            watchdog: Ends the process when a call hangs.
            errors: The producer's `error_cb`.
            timeout: `transaction.timeout.ms`, in seconds.
        """
        self._producer = producer
        self._produce: Callable[..., None] = producer.produce  # by position, which is faster: callback before on_delivery
        self._watchdog = watchdog
        self._errors = errors
        self._timeout = timeout
        self._diagnosing = False
        self._undelivered: tuple[KafkaError, str] | None = None
        self.is_open = False

    def initialise(self, within: float, beat: Callable[[], None]) -> None:
        """Fence every older producer of this id and end its transaction (ER-23).

        Args:
            within: Seconds to keep trying brokers that do not answer.
            beat: Called between the slices.
        """
        deadline = time.monotonic() + within
        while True:
            beat()
            try:
                with self._watchdog.limit("init_transactions", _SLICE + _HANG):
                    self._producer.init_transactions(_SLICE)
                return
            except KafkaException as raised:
                error = error_of(raised)
            self._producer.poll(0)
            self._errors.raise_deadly()
            if triage(error) is not Verdict.AGAIN:
                raise self._errors.ending(error, "init_transactions")
            if self._errors.refused() or time.monotonic() > deadline:
                raise self._errors.unreachable()

    def begin(self) -> None:
        """Open a transaction."""
        try:
            self._producer.begin_transaction()
        except KafkaException as raised:
            raise self._errors.ending(error_of(raised), "begin_transaction") from raised
        self.is_open = True

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None = None,
        partition: int = -1,
        on_delivery: OnDelivery | None = None,
        timestamp: int = 0,
    ) -> None:
        """Add a record to the open transaction; `timestamp` in milliseconds, 0 for now.

        Raises:
            TooLarge: The record exceeds `message.max.bytes` and was not added.
            MustAbort: The record could not be added for another reason.
        """
        if self._diagnosing:
            on_delivery = self._watching(on_delivery)
        while True:
            try:
                self._produce(topic, value, key, partition, on_delivery, None, timestamp, headers)
                return
            except BufferError:  # the queue is full: let deliveries make room (ER-11)
                with self._watchdog.limit("produce", _CALL + _HANG):
                    self._producer.poll(_PAUSE)
            except KafkaException as raised:
                error = error_of(raised)
                if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    raise TooLarge(topic) from raised
                raise MustAbort(
                    "produce", f"produce to {topic}: {error.str()}"
                ) from raised  # a fatal one shows in the abort (ER-13)

    def commit(self, offsets: Sequence[TopicPartition], group_metadata: bytes) -> None:
        """Commit the records and the group's offsets, all or nothing.

        Args:
            offsets: Last consumed + 1 of partitions owned now; never empty, so that the generation fences every commit (ER-8).
            group_metadata: The consumer's, read just now (ER-7).

        Raises:
            MustAbort: Nothing was committed.
        """
        _check_member(group_metadata)
        send = lambda: self._producer.send_offsets_to_transaction(list(offsets), group_metadata, _CALL)  # noqa: E731
        self._bounded(
            "send_offsets_to_transaction", send, self._timeout, MustAbort("send_offsets", "the offsets could not be sent")
        )
        self.commit_records()

    def commit_records(self) -> None:
        """Commit the records, the whole of a transaction that read nothing for a group: a replay of dead letters (decision 8).

        Raises:
            MustAbort: Nothing was committed.
        """
        undecided = Stop(
            AGAIN,
            "commit_transaction stays undecided: the brokers did not say within "
            f"{self._timeout + _SETTLED:.0f} s whether it was committed. A restart is exact.",
        )
        self._bounded("commit_transaction", lambda: self._producer.commit_transaction(_CALL), self._timeout + _SETTLED, undecided)
        self.is_open = False
        self._diagnosing = False

    def abort(self) -> None:
        """Give up the open transaction; a fatal error ends the worker here, and so does a client that hangs (ER-15)."""
        if not self.is_open:
            return
        self._diagnosing = True  # should the next attempt fail as well, it shall say for which record
        undecided = Stop(AGAIN, "abort_transaction was not answered: brokers are away, or the client hangs. A restart is exact.")
        try:
            self._bounded(
                "abort_transaction", lambda: self._producer.abort_transaction(_CALL), self._timeout + _SETTLED, undecided
            )
        except MustAbort:  # it cannot be asked for more than it is doing
            raise undecided from None
        self.is_open = False

    def undelivered(self) -> tuple[KafkaError, str] | None:
        """The error and topic of a record that a repeated transaction could not deliver; forgotten once asked."""
        found, self._undelivered = self._undelivered, None
        return found

    def serve(self) -> None:
        """Let callbacks run."""
        self._producer.poll(0)

    def await_reports(self, complete: Callable[[], bool]) -> None:
        """Serve delivery reports until the wanted ones are in: after a commit all are made, but the last may still be queued.

        Raises:
            Stop: They do not come; the commit stands, and a restart reads what it says.
        """
        deadline = time.monotonic() + _CALL
        while not complete():
            if time.monotonic() > deadline:
                raise Stop(AGAIN, "delivery reports of a committed transaction did not come: restart this worker")
            self._producer.poll(0.005)

    def close(self) -> None:
        """Close the producer; an open transaction is aborted."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it could not abort: the next start does (ER-23)
            self._producer.close()

    def _bounded(self, name: str, call: Callable[[], object], within: float, exhausted: Exception) -> None:
        """Make a call, the very same one again while its error is retriable, for `within` seconds.

        A process that was paused as a whole makes its calls all the same: the first after it may be told how it ended (ER-27).
        """
        deadline = time.monotonic() + within
        for calls in count(1):
            try:
                with self._watchdog.limit(name, _CALL + _HANG):
                    call()
                return
            except KafkaException as raised:
                error = error_of(raised)
            verdict = triage(error)
            if verdict is Verdict.ABORT:
                raise MustAbort(name, f"{name}: {error.str()} ({error.name()})")
            if verdict is not Verdict.AGAIN:
                raise self._errors.ending(error, name)
            if time.monotonic() > deadline and calls * _CALL >= within:
                raise exhausted
            self._producer.poll(_PAUSE)

    def _watching(self, on_delivery: OnDelivery | None) -> OnDelivery:
        """A delivery callback that keeps the reason of a failure. Only after an abort: it costs a call per record (ER-11)."""

        def watch(error: KafkaError | None, message: Message) -> None:
            if error is not None and error.code() not in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
                self._undelivered = (error, message.topic() or "")
            if on_delivery is not None:
                on_delivery(error, message)

        return watch


def _check_member(group_metadata: bytes) -> None:
    """Refuse metadata of a consumer that is no member: the broker would not (ER-7).

    librdkafka's form is `CGMDv2:`, the generation as int32, then group, member id and instance, each ended by a zero byte.
    """
    magic, generation = _METADATA.unpack_from(group_metadata)
    member = group_metadata[_METADATA.size :].split(b"\0")[1:2]
    if magic != b"CGMDv2:":
        raise Stop(
            AGAIN, f"confluent-kafka writes group metadata in a form not known here ({group_metadata[:7]!r}): use version 2.16"
        )
    if generation < 0 or not member or not member[0]:
        raise MustAbort("no_member", "this worker is no member of its group at the moment")
