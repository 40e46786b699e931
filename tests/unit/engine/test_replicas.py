"""Copies as `check` judges them: offline, refusing writes, under-replicated, fewer than wanted."""

import pytest

from processors.engine.described import Partition, Topic
from processors.engine.replicas import health_findings, replication_findings

WHOLE = Partition(0, 1, (1, 2, 3), (1, 2, 3))


def topic(*partitions: Partition) -> Topic:
    return Topic("id", partitions, None)


@pytest.mark.parametrize(
    ("partition", "in_sync", "state", "said", "mend"),
    [
        (Partition(7, 1, (1, 2, 3), (1, 3)), 2, "warning", "under-replicated in partitions 7", "broker 2"),
        (Partition(7, 1, (1, 2, 3), (1,)), 2, "missing", "takes no writes in partitions 7", "brokers 2, 3"),
        (Partition(7, 1, (1, 2, 3), (1,)), None, "warning", "under-replicated", "brokers 2, 3"),
        (Partition(7, None, (1, 2, 3), (1,)), 2, "missing", "offline in partitions 7", "brokers 2, 3"),
        (Partition(7, None, (1,), (1,)), 1, "missing", "offline in partitions 7", "kafka-topics.sh"),
    ],
)
def test_a_partition_that_is_not_whole_is_named_with_its_brokers(
    partition: Partition, in_sync: int | None, state: str, said: str, mend: str
) -> None:
    [finding] = health_findings("leads", topic(WHOLE, partition), in_sync)
    assert finding.state == state
    assert said in finding.says
    assert mend in finding.mend


def test_many_partitions_are_counted() -> None:
    [finding] = health_findings("leads", topic(*(Partition(n, None, (1,), ()) for n in range(12))), 1)
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more" in finding.says


def test_whole_partitions_say_nothing() -> None:
    assert list(health_findings("leads", topic(WHOLE), 2)) == []
    assert list(replication_findings("leads", topic(WHOLE), 2, 3)) == []


@pytest.mark.parametrize(
    ("replicas", "in_sync", "state", "said"),
    [
        ((1,), 1, "warning", "has 1 replicas, wanted 3"),
        ((1, 2, 3), 1, "warning", "min.insync.replicas=1, wanted 2"),
        ((1, 2, 3), 4, "missing", "takes no writes"),
    ],
)
def test_too_few_copies(replicas: tuple[int, ...], in_sync: int, state: str, said: str) -> None:
    [finding] = replication_findings("leads", topic(Partition(0, 1, replicas, replicas)), in_sync, 3)
    assert finding.state == state
    assert said in finding.says
    assert finding.mend
