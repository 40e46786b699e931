"""An offset that was not answered is not taken for one: a restore bounded by it would end before it began (ER-22)."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from processors.engine.offsets import Bounds, BoundsQuestion
from processors.engine.stop import Stop


class Admin:
    """Answers list_offsets from a script, an offset or an error at a time; counts the refreshes of its metadata."""

    def __init__(self, *answers: int | KafkaError) -> None:
        self.answers = list(answers)
        self.refreshed = 0

    def list_offsets(self, asked: dict[Any, Any], **_: Any) -> dict[Any, "Future[Any]"]:
        answer = self.answers.pop(0)
        future: Future[Any] = Future()
        if isinstance(answer, int):
            future.set_result(SimpleNamespace(offset=answer))
        else:
            future.set_exception(KafkaException(answer))
        return dict.fromkeys(asked, future)

    def list_topics(self, timeout: float) -> None:
        self.refreshed += 1


def test_er22_unanswered_and_fenced_offsets_are_asked_again_with_fresh_metadata() -> None:
    """librdkafka answers -1001 without an error when no broker does, and repeats FENCED_LEADER_EPOCH until it is told to look."""
    fenced = KafkaError(KafkaError.FENCED_LEADER_EPOCH, "the epoch is older than the broker's")
    admin = Admin(0, fenced, -1001, 7)
    question = BoundsQuestion(cast(Any, admin), ("changelog", 0))
    answers = [question.answer() for _ in range(3)]
    assert answers == [None, None, Bounds(0, 7)]
    assert admin.refreshed == 2


def test_er13_a_missing_permission_is_not_asked_for_again() -> None:
    admin = Admin(0, KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "no"))
    question = BoundsQuestion(cast(Any, admin), ("changelog", 0))
    with pytest.raises(Stop, match="topic changelog") as stopped:
        question.answer()
    assert stopped.value.code == 3
