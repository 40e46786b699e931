"""What to do about a Kafka error: one table for every call of the worker (ER-13).

The order of `triage` is the rule: a fatal error is never retried, a missing permission is named, an abortable error aborts, a
retriable one repeats the very same call, and whatever is unknown ends the process, because a restart is exact and a guess is not.
"""

import re
from enum import Enum
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException

from processors.engine.stop import AGAIN, ENVIRONMENT, Stop

UNKNOWN_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)
"""What brokers, and the client by itself, say of a topic that is not there."""


class Verdict(Enum):
    """What may be done about an error."""

    EXIT = "end the process: this producer or member is finished"
    FORBIDDEN = "end the process: a permission is missing"
    ABORT = "abort the transaction, drop its overlay, seek back, back off (ER-18)"
    AGAIN = "make the same call again, within a bound (ER-14)"
    UNKNOWN = "end the process: nothing is known that would be right"


class Seen(NamedTuple):
    """An error that was met on a real broker: in which calls, and what it means."""

    calls: str
    meaning: str


SEEN: dict[int, Seen] = {
    KafkaError._FENCED: Seen(
        "any transaction call",
        "another process took over this transactional id (the same --instance runs twice), or this one was paused for longer "
        "than transaction.timeout.ms; give every worker its own --instance, and let the supervisor back off",
    ),
    KafkaError.INVALID_PRODUCER_EPOCH: Seen(
        "produce, commit", "the broker has aborted this transaction and moved on to a newer producer of the same id"
    ),
    KafkaError.FENCED_INSTANCE_ID: Seen(
        "poll, send_offsets",
        "another process joined the group with the same instance (the same --instance runs twice), or the session ended during a "
        "long broker outage",
    ),
    KafkaError.UNRELEASED_INSTANCE_ID: Seen(
        "poll", "group.protocol=consumer does not let a static member back before its session ends"
    ),
    KafkaError._STATE: Seen("send_offsets, after it timed out", "librdkafka has given the transaction up: abort it"),
    KafkaError._INCONSISTENT: Seen(
        "commit", "a record was not delivered: oversized, to an unknown topic, or its broker was away"
    ),
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER: Seen(
        "commit, after an _INCONSISTENT one", "the aborted records left a gap; abort again"
    ),
    KafkaError.INVALID_TXN_STATE: Seen(
        "abort, commit", "the broker has ended this transaction already, for example by its timeout"
    ),
    KafkaError.ILLEGAL_GENERATION: Seen("send_offsets, commit", "the group has rebalanced since the records were read"),
    KafkaError.UNKNOWN_MEMBER_ID: Seen("send_offsets, commit", "the session ended while this worker was paused; it rejoins"),
    KafkaError._TIMED_OUT: Seen("init, send_offsets, commit, abort", "no answer yet; the outcome is open"),
    KafkaError._TRANSPORT: Seen("send_offsets", "the connection broke; librdkafka reconnects"),
}
"""What codes stand for where they were seen (ER-1, 2, 4, 7, 11, 13, 14, 27). Their treatment is `triage`, by their flags."""

_FORBIDDEN = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "on topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "READ on group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "on the cluster",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "WRITE on transactional id",
}


class MustAbort(Exception):
    """The open transaction must be aborted; its records are read again.

    Attributes:
        reason: A short fixed word, for metrics.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def triage(error: KafkaError) -> Verdict:
    """What may be done about `error`."""
    if error.fatal() or error.code() in (KafkaError._FATAL, KafkaError._FENCED):
        return Verdict.EXIT
    if error.code() in _FORBIDDEN:
        return Verdict.FORBIDDEN
    if error.txn_requires_abort():
        return Verdict.ABORT
    if error.retriable():
        return Verdict.AGAIN
    return Verdict.UNKNOWN


def ending(error: KafkaError, call: str, resource: str = "", operation: str = "READ") -> Stop:
    """The end of the process for an error that `triage` lets nobody survive.

    Args:
        error: What the call said.
        call: The call, in words, for the sentence.
        resource: What a permission was missing for, where the call knows.
        operation: What the call does to a topic: brokers name no more than the topic. Of other resources there is but one.
    """
    if error.code() in _FORBIDDEN:
        what = _FORBIDDEN[error.code()]
        if resource and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            what = f"{operation} {what}"
        name = f" {resource}" if resource else ""
        return Stop(
            ENVIRONMENT,
            f"{call}: permission {what}{name} is missing ({error.str()}): grant it, see docs/operations.md#permissions",
        )
    seen = SEEN.get(_reason(error))
    meaning = f": {seen.meaning}" if seen else ""
    return Stop(AGAIN, f"{call} ended this worker: {error.name()} ({error.str()}){meaning}. A restart is exact.")


def _reason(error: KafkaError) -> int:
    """The code that explains an error: librdkafka names the one behind a `_FATAL` only in its text."""
    if error.code() != KafkaError._FATAL:
        return error.code()
    text = error.str()
    words = set(re.findall(r"\w+", text))
    return next((code for code in SEEN if KafkaError(code).name() in words or KafkaError(code).str() in text), error.code())


def error_of(exception: KafkaException) -> KafkaError:
    """The error that an exception of the client carries."""
    error = exception.args[0]
    assert isinstance(error, KafkaError)
    return error
