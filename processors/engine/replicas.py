"""Are a topic's copies as many as wanted, and are they in sync: what decides whether a write is taken, and survives a broker."""

from collections.abc import Iterator

from processors.engine.described import Partition, Topic
from processors.engine.findings import Finding
from processors.engine.topics import in_sync_wanted

_MOST_NAMED = 10


def health_findings(name: str, topic: Topic, in_sync: int | None) -> Iterator[Finding]:
    """Partitions that are offline, refuse writes, or lack a copy.

    Args:
        name: Of the topic.
        topic: As described.
        in_sync: `min.insync.replicas` in force; None when it may not be read.
    """
    subject = f"topic {name}"
    offline = [each for each in topic.partitions if each.leader is None]
    short = [each for each in topic.partitions if each.leader is not None and len(each.in_sync) < len(each.replicas)]
    refusing = [each for each in short if in_sync is not None and len(each.in_sync) < in_sync]
    short = [each for each in short if each not in refusing]
    if offline:
        yield Finding("replicas", subject, "missing", f"is offline in partitions {_named(offline)}", _start(offline))
    if refusing:
        says = f"takes no writes in partitions {_named(refusing)}: fewer than min.insync.replicas={in_sync} copies are in sync"
        yield Finding("replicas", subject, "missing", says, _start(refusing))
    if short:
        says = f"is under-replicated in partitions {_named(short)}"
        yield Finding("replicas", subject, "warning", says, _start(short))


def replication_findings(name: str, topic: Topic, in_sync: int | None, wanted: int) -> Iterator[Finding]:
    """Fewer copies than wanted, or fewer that must hold a record before it counts; for our own topics."""
    subject = f"topic {name}"
    replicas = min((len(each.replicas) for each in topic.partitions), default=0)
    if replicas < wanted:
        mend = "add copies with kafka-reassign-partitions.sh"
        yield Finding("replicas", subject, "warning", f"has {replicas} replicas, wanted {wanted}", mend)
    if in_sync is None:
        return
    alter = f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config min.insync.replicas="
    if in_sync > replicas:
        says = f"takes no writes: min.insync.replicas={in_sync} is more than its {replicas} replicas"
        yield Finding("replicas", subject, "missing", says, f"run `{alter}{in_sync_wanted(replicas)}`")
    elif in_sync < in_sync_wanted(replicas):
        says = f"has min.insync.replicas={in_sync}, wanted {in_sync_wanted(replicas)}: one broker lost may lose records"
        yield Finding("replicas", subject, "warning", says, f"run `{alter}{in_sync_wanted(replicas)}`")


def _named(partitions: list[Partition]) -> str:
    named = ", ".join(str(each.number) for each in partitions[:_MOST_NAMED])
    return named + (f" and {len(partitions) - _MOST_NAMED} more" if len(partitions) > _MOST_NAMED else "")


def _start(partitions: list[Partition]) -> str:
    away = sorted({node for each in partitions for node in each.replicas if node not in each.in_sync})
    if not away:
        return "find out with kafka-topics.sh --describe why no broker leads them"
    return f"start or mend {'broker' if len(away) == 1 else 'brokers'} {', '.join(map(str, away))}"
