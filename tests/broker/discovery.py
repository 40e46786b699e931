"""Where the tests, benches and people get a real Kafka broker from: it guards that "tested on Kafka" never means "skipped".

In this order: the broker named by KAFKA_BOOTSTRAP_SERVERS; a container of the apache/kafka image; a JVM with the jars that
Maven resolves from `pom.xml`. What was taken is said on stderr. `python -m tests.broker.discovery` starts one, prints its
address and keeps it until interrupted.
"""

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from confluent_kafka.admin import AdminClient

from tests.broker import container, jvm

ANSWERS_WITHIN = 90.0
"""Seconds: a cold container or JVM on a busy machine needs a few, a first image pull is not counted."""


class Broker(Protocol):
    """One broker that the caller may stop; `kill` or `shut_down`, and `start` again, keep its data and address."""

    bootstrap: str
    origin: str
    listeners: dict[str, str]
    """Address by the name of a listener; PLAINTEXT is `bootstrap`."""

    @property
    def pid(self) -> int | None:
        """Its process on this machine, for whoever counts its CPU; None where that is not known."""
        ...

    def start(self) -> None:
        """Start, on the data that is there."""
        ...

    def kill(self) -> None:
        """Stop at once, as a crash would (SIGKILL)."""
        ...

    def shut_down(self) -> None:
        """Stop in order, as an operator would (SIGTERM), and wait for the end."""
        ...

    def pause(self) -> None:
        """Stop it from running, with its sockets open: a broker that hangs."""
        ...

    def resume(self) -> None:
        """Let a paused broker run again."""
        ...

    def stop(self) -> None:
        """Stop and remove all data. May be called twice."""
        ...


class NoBroker(Exception):
    """This machine offers none of the ways to a broker."""


class _Given:
    """A broker that somebody else runs: it is neither started nor stopped here."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.listeners = {"PLAINTEXT": bootstrap}
        self.origin = f"KAFKA_BOOTSTRAP_SERVERS={bootstrap}"
        self.pid = None

    def start(self) -> None:
        """It runs already."""

    def kill(self) -> None:
        """Not ours to kill."""
        raise NoBroker("a broker given by KAFKA_BOOTSTRAP_SERVERS cannot be disturbed by a test; use start_private_broker()")

    shut_down = pause = resume = kill

    def stop(self) -> None:
        """Not ours to stop."""


def start_broker() -> Broker:
    """Find or start the broker that a whole test session shares.

    Raises:
        NoBroker: None of the three ways is open, or the broker does not answer; the sentence says which and why.
    """
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    return _answering(_Given(given)) if given else start_private_broker()


def start_private_broker(properties: Mapping[str, str] | None = None, listeners: Mapping[str, str] | None = None) -> Broker:
    """Start a broker of the caller's own, for tests that stop, kill or configure one.

    Args:
        properties: Broker settings on top of the usual ones.
        listeners: Security protocols of listeners besides PLAINTEXT, by their names. That one lets in everybody.

    Raises:
        NoBroker: Neither Docker nor Java 17+ with Maven is there.
    """
    settings, protocols = dict(properties or {}), dict(listeners or {})
    [broker] = _start(lambda: [container.ContainerBroker(settings, protocols)], lambda: [jvm.JvmBroker(settings, protocols)])
    return _answering(broker)


def start_private_cluster(properties: Mapping[str, str] | None = None, count: int = 3) -> Sequence[Broker]:
    """Start brokers of the caller's own that replicate: three copies of everything, two of them in sync (ER-17).

    Args:
        properties: Broker settings on top of the usual ones.
        count: How many.

    Raises:
        NoBroker: Neither Docker nor Java 17+ with Maven is there.
    """
    settings = dict(properties or {})
    brokers = _start(lambda: container.container_cluster(settings, count), lambda: jvm.jvm_cluster(settings, count))
    for broker in brokers:
        _answering(broker, count)
    return brokers


def _start(*ways: Callable[[], Sequence[Broker]]) -> Sequence[Broker]:
    """Brokers by the first way that this machine offers, started and to be removed when this process ends."""
    reasons: list[str] = []
    for way in ways:
        try:
            brokers = way()
        except (container.NoDocker, jvm.NoJava) as why:
            reasons.append(str(why))
            continue
        for broker in brokers:
            atexit.register(broker.stop)
            broker.start()
        return brokers
    raise NoBroker(
        "No Kafka broker for the tests: set KAFKA_BOOTSTRAP_SERVERS to a running one, or start Docker, or install Java 17+ and "
        f"Maven (tried: KAFKA_BOOTSTRAP_SERVERS is not set; {'; '.join(reasons)})."
    )


def _answering(broker: Broker, count: int = 1) -> Broker:
    """Wait until the broker answers a metadata request and sees all its peers; say where it came from."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    deadline = time.monotonic() + ANSWERS_WITHIN
    while True:
        try:
            nodes = admin.list_topics(timeout=2).brokers
            if len(nodes) < count:
                raise NoBroker(f"{len(nodes)} of {count} brokers have joined")
        except Exception as why:
            if time.monotonic() > deadline:
                broker.stop()
                raise NoBroker(f"The broker of the tests ({broker.origin}) does not answer at {broker.bootstrap}: {why}") from why
            time.sleep(0.1)
            continue
        print(f"broker of the tests: {broker.origin}, {len(nodes)} node(s) at {broker.bootstrap}", file=sys.stderr, flush=True)
        return broker


def main() -> None:
    """Start a broker, print its bootstrap address on stdout, stop it on Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    broker = start_broker()
    print(broker.bootstrap, flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
    finally:
        broker.stop()


if __name__ == "__main__":
    try:
        main()
    except NoBroker as sentence:
        sys.exit(str(sentence))
