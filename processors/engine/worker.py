"""One worker process: connects, joins the group, turns the loop until it is stopped, leaves.

Wiring only. What happens in which order is in `loop.py`; `assignment.py` says how partitions come and go, `restore.py` how their
rows are brought up to date, `transaction.py` how a commit can end, `settings.py` what librdkafka is told.
Nothing but the loop's thread touches consumer, producer or store (ER-29).
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from processors.engine import preflight
from processors.engine.admin import AdminClient
from processors.engine.assignment import Assignment
from processors.engine.broker_errors import BrokerErrors
from processors.engine.contact import first_contact
from processors.engine.definition_change import check_change
from processors.engine.driven import Topology
from processors.engine.health import Health, HealthServer
from processors.engine.lag import Lag
from processors.engine.lanes import Lane, Place
from processors.engine.last_marks import last_marks
from processors.engine.loop import Loop
from processors.engine.mark import Mark, grown, made_anew
from processors.engine.membership import Agreement
from processors.engine.metrics import Metrics
from processors.engine.parts import Parts
from processors.engine.processing import Processing
from processors.engine.purge import Purge
from processors.engine.restore import Restorer
from processors.engine.settings import Clients, EngineSettings, Limits, make_client
from processors.engine.starts import Starts
from processors.engine.stop import AGAIN, Stop
from processors.engine.storehouse import Storehouse
from processors.engine.topic_watch import TopicWatch
from processors.engine.transaction import Transaction
from processors.engine.triage import error_of
from processors.engine.watchdog import Watchdog
from processors.engine.watermarks import Watermarks
from processors.state.rows import Damaged
from schemas.instants import SECOND

__all__ = ["EngineSettings", "Limits", "Stop", "Worker"]

log = logging.getLogger(__name__)

_LEAVES_WITHIN = 8.0
"""Seconds."""
_LEAVES_LATE = 10.0
"""Seconds that brokers may take to notice the end of a session."""


class _Leaving(Exception):
    """Asked to stop while brokers did not answer yet: nothing is joined, so there is nothing to commit or to leave."""


class Worker:
    """A worker; `run` once.

    Attributes:
        metrics: What it exports.
        health: What its probes answer.
    """

    def __init__(self, settings: EngineSettings, topology: Topology, *, check_configs: bool = True) -> None:
        """Prepare a worker; nothing is connected yet.

        Args:
            settings: What it is told.
            topology: What it drives.
            check_configs: Check the configuration of topics before joining. Off only for librdkafka's built-in mock broker, which
                cannot describe it and has only topics that somebody wrote to.

        Raises:
            Stop: The settings contradict each other.
        """
        self._settings = settings
        self._topology = topology
        self._check_configs = check_configs
        self._clients = Clients(settings)
        self._errors = BrokerErrors(settings.kafka, settings.application, self._clients.transactional_id)
        self._watchdog = Watchdog()
        self._stopping = threading.Event()
        self._lanes: dict[Place, Lane] = {}
        self._agreement: Agreement | None = None
        self.metrics = Metrics()
        self.health = Health(self._clients.max_poll_interval)

    def stop(self) -> None:
        """Ask the loop to commit what it has and to leave; from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop` is called.

        Raises:
            Stop: The worker ended for another reason.
        """
        server = HealthServer(self._settings.listen, self.health, self.metrics.registry) if self._settings.listen else None
        if server is not None:
            open_to = " (without authentication, and not only for this machine)" if server.exposed else ""
            log.info("probes and metrics at http://%s:%d%s", *server.address, open_to)
        self._watchdog.start()
        try:
            self._connect_and_work()
        except _Leaving:
            log.info("stopped before it joined the group %s", self._settings.application)
        except KafkaException as raised:
            raise self._errors.ending(error_of(raised), "a Kafka call") from raised
        finally:
            self.health.ready = False
            self._watchdog.stop()
            if server is not None:
                server.close()

    def _connect_and_work(self) -> None:
        """Check, then fence a predecessor (ER-23), then join: in the order in which a mistake does the least harm."""
        settings, options = self._settings, self._errors.options()
        admin = make_client(AdminClient, self._clients.admin() | options)
        there = first_contact(admin, self._errors, settings.connect_within, self._beat).topics
        ready = preflight.check_topics(admin, settings, self._clients.transactional_id, there, configs=self._check_configs)
        if self._check_configs:
            self._agree(admin, ready)
        topics = [*settings.source_topics, settings.topics.facts]
        self.metrics.initialise(self._topology.definitions.digest, settings.source_topics, topics, settings.label_sets)
        producer = make_client(Producer, self._clients.producer() | options)
        transaction = Transaction(producer, self._watchdog, self._errors, self._clients.transaction_timeout)
        transaction.initialise(settings.connect_within, self._beat)
        self._work(
            Parts(
                settings,
                self._clients,
                self._topology.definitions,
                ready.partitions,
                ready.facts_id,
                tuple((topic, number) for topic in sorted(settings.source_topics) for number in sorted(there[topic].partitions)),
                admin,
                make_client(
                    Consumer,
                    self._clients.consumer(self._topology.definitions.digest)
                    | options
                    | {"stats_cb": Lag(self.metrics, self._lanes)},
                ),
                transaction,
                Storehouse(settings, ready),
                self._lanes,
                self._errors,
                self.metrics,
                self.health,
                self._stopping,
            )
        )

    def _agree(self, admin: AdminClient, ready: preflight.Ready) -> None:
        """State, definitions and the other workers of the group fit together, or this one does not join."""
        settings, digest = self._settings, self._topology.definitions.digest
        patience = settings.others_leave_within
        if patience is None:
            patience = self._clients.session_timeout + _LEAVES_LATE
        self._agreement = Agreement(admin, settings.application, digest, patience)
        self._check_marks(ready)
        if self._agreement.wait(self._beat):  # they may have worked until they left
            self._check_marks(ready)

    def _check_marks(self, ready: preflight.Ready) -> None:
        """Uncommitted marks tell of which facts they were made; which definitions may go on is told by committed ones."""
        names, running = self._settings.topics, self._topology.definitions
        partitions = ready.partitions
        marks = self._marks(self._clients.mark_reader(), partitions)
        for mark in marks.values():
            if mark.partitions != partitions:
                raise grown(f"topic {names.changelog}", mark.partitions, partitions)
            if mark.of_another(ready.facts_id):
                raise made_anew(names.facts, f"the state in {names.changelog} was written")
        if all(mark.definitions == running.digest for mark in marks.values()):
            return
        committed = self._marks(self._clients.reader(), partitions)
        places = {f"{names.facts} partition {number}": mark for number, mark in committed.items()}
        for found in check_change(places, running, round(time.time() * SECOND)):
            log.log(logging.WARNING if found.state == "warning" else logging.INFO, "%s", found.sentence)

    def _marks(self, reader: dict[str, Any], partitions: int) -> dict[int, Mark]:
        client = make_client(Consumer, reader | self._errors.options())
        return last_marks(client, self._settings.topics.changelog, partitions, self._settings.connect_within, self._beat)

    def _beat(self) -> None:
        """A sign of life while brokers are waited for; SIGTERM ends the wait (ER-28)."""
        self.health.beat()
        if self._stopping.is_set():
            raise _Leaving

    def _work(self, parts: Parts) -> None:
        """Join the group, turn the loop, and leave, whatever ended it."""
        loop = Loop(parts, Processing(parts, self._topology), Watermarks(parts, timed=self._topology.timed))
        restorer = Restorer(parts)
        assignment = Assignment(parts, Starts(parts), restorer, finish=loop.finish, abandon=loop.abandon)
        failure: Stop | None = None
        try:
            assignment.subscribe([*self._settings.source_topics, self._settings.topics.facts])
            loop.run(assignment, self._upkeep(parts, assignment))
            assignment.touch(now=True)
        except Damaged as why:
            failure = parts.storehouse.give_up(why)
        except Stop as stop:
            failure = stop
        except KafkaException as raised:
            failure = self._errors.ending(error_of(raised), "a Kafka call")
        restorer.close()
        self._leave(parts, failure)
        if failure is not None:
            raise failure

    def _upkeep(self, parts: Parts, assignment: Assignment) -> list[Callable[[], None]]:
        """What the loop does besides, once a turn."""
        upkeep = [assignment.touch, Purge(parts).step, assignment.check_welcome]
        if self._agreement is not None:
            agreement = self._agreement
            upkeep += [TopicWatch(parts).step, lambda: agreement.confirm(assignment.joined)]
        return upkeep

    def _leave(self, parts: Parts, failure: Stop | None) -> None:
        """Producer first, then consumer (ER-28): a static member sends no leave, so its peers see no rebalance."""
        self.health.ready = False
        hung = threading.Timer(_LEAVES_WITHIN, _give_up, (failure,))
        hung.daemon = True
        hung.start()
        parts.transaction.close()
        parts.consumer.close()
        parts.storehouse.close()
        hung.cancel()
        log.info("left the group %s", self._settings.application)


def _give_up(failure: Stop | None) -> None:
    """End a process whose clients do not close, for example because no broker answers; a restart is exact (ER-28)."""
    if failure is not None:
        log.error("%s", failure.sentence)
    log.error("the Kafka clients did not close within %.0f s: ending without", _LEAVES_WITHIN)
    os._exit(AGAIN if failure is None else failure.code)
