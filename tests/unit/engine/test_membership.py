"""Members of a group whose names say that they run other definitions: waited for before joining, looked for once after it."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from processors.engine.membership import Agreement, member_name
from processors.engine.stop import Stop

MINE, OTHER = "sha256:mine", "sha256:other"


class Admin:
    """Answers every question about the group with the next of these lists of members, the last one for ever."""

    def __init__(self, *answers: list[Any] | KafkaException) -> None:
        self.answers = [*answers]
        self.asked = 0

    def describe_consumer_groups(self, names: list[str], **_: Any) -> dict[str, Future[Any]]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        future: Future[Any] = Future()
        if isinstance(answer, KafkaException):
            future.set_exception(answer)
        else:
            future.set_result(SimpleNamespace(members=answer, authorized_operations=None))
        return dict.fromkeys(names, future)


def static(instance: str, definitions: str = "") -> Any:
    name = member_name(instance, definitions) if definitions else instance
    return SimpleNamespace(group_instance_id=name, client_id=f"app.{instance}", host="/10.0.0.1")


def dynamic(client: str, definitions: str) -> Any:
    return SimpleNamespace(group_instance_id=None, client_id=member_name(client, definitions), host="/10.0.0.1")


def agreement(*answers: list[Any] | KafkaException, patience: float = 0.0) -> Agreement:
    return Agreement(cast(Any, Admin(*answers)), "app", MINE, patience)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.engine.membership._LOOKED_EVERY", 0.001)


def test_members_with_the_same_definitions_and_those_that_are_no_workers_are_no_matter() -> None:
    others = [static("two", MINE), dynamic("app.three", MINE), static("somebody"), static("some.body")]
    assert agreement(others).wait(lambda: None) is False


def test_members_with_other_definitions_are_waited_for_with_a_sign_of_life() -> None:
    beats: list[int] = []
    waiting = agreement([static("two", OTHER)], [static("two", OTHER), static("one", MINE)], [static("one", MINE)], patience=60)
    assert waiting.wait(lambda: beats.append(1)) is True
    assert len(beats) == 2


@pytest.mark.parametrize("member", [static("two", OTHER), dynamic("two", OTHER)], ids=["static", "dynamic"])
def test_one_that_stays_is_named_and_the_definitions_are_at_fault(member: Any) -> None:
    with pytest.raises(Stop, match=r"other definitions than this worker's sha256:mine: two on 10\.0\.0\.1\. .* Stop all") as stop:
        agreement([static("one", MINE), member]).wait(lambda: None)
    assert stop.value.code == 1


def test_one_that_joined_at_the_same_moment_is_found_after_joining_and_looked_for_once() -> None:
    admin = Admin([], [static("two", OTHER)])
    looking = Agreement(cast(Any, admin), "app", MINE, 60)
    looking.wait(lambda: None)
    looking.confirm(joined=False)
    assert admin.asked == 1
    with pytest.raises(Stop, match="two on"):
        looking.confirm(joined=True)
    looking.confirm(joined=True)
    assert admin.asked == 2


def test_a_group_that_may_not_be_looked_at_stops_nobody() -> None:
    """The marks are looked at all the same."""
    assert agreement(KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))).wait(lambda: None) is False
