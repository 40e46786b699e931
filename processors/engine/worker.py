"""One worker process: connects, joins the group, turns the loop until it is stopped, leaves.

Wiring only. What happens in which order is in `loop.py`; `assignment.py` says how partitions come and go, `restore.py` how their
rows are brought up to date, `transaction.py` how a commit can end, `settings.py` what librdkafka is told.
Nothing but the loop's thread touches consumer, producer or store (ER-29).
"""

import logging
import os
import threading
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, Producer

from processors.engine import preflight
from processors.engine.admin import AdminClient
from processors.engine.assignment import Assignment
from processors.engine.broker_errors import BrokerErrors
from processors.engine.contact import first_contact
from processors.engine.driven import Topology
from processors.engine.health import Health, HealthServer
from processors.engine.lag import Lag
from processors.engine.lanes import Lane, Place
from processors.engine.loop import Loop
from processors.engine.metrics import Metrics
from processors.engine.partition_count import check_partition_count
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
from processors.state.rows import Damaged

__all__ = ["EngineSettings", "Limits", "Stop", "Worker"]

log = logging.getLogger(__name__)

_LEAVES_WITHIN = 8.0
"""Seconds."""


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
            reader = make_client(Consumer, self._clients.mark_reader() | options)
            name, within = settings.topics.changelog, settings.connect_within
            check_partition_count(reader, name, ready.partitions, within, self._beat)
        topics = [*settings.source_topics, settings.topics.facts]
        self.metrics.initialise(self._topology.definitions_digest, settings.source_topics, topics, settings.label_sets)
        producer = make_client(Producer, self._clients.producer() | options)
        transaction = Transaction(producer, self._watchdog, self._errors, self._clients.transaction_timeout)
        transaction.initialise(settings.connect_within, self._beat)
        self._work(
            Parts(
                settings,
                self._clients,
                self._topology.definitions_digest,
                ready.partitions,
                admin,
                make_client(Consumer, self._clients.consumer() | options | {"stats_cb": Lag(self.metrics, self._lanes)}),
                transaction,
                Storehouse(settings, ready),
                self._lanes,
                self._errors,
                self.metrics,
                self.health,
                self._stopping,
            )
        )

    def _beat(self) -> None:
        """A sign of life while brokers are waited for; SIGTERM ends the wait (ER-28)."""
        self.health.beat()
        if self._stopping.is_set():
            raise _Leaving

    def _work(self, parts: Parts) -> None:
        """Join the group, turn the loop, and leave, whatever ended it."""
        loop = Loop(parts, Processing(parts, self._topology))
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
        return [*upkeep, TopicWatch(parts).step] if self._check_configs else upkeep

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
    """End a process whose clients do not close, for example because no broker answers; a restart is exact."""
    if failure is not None:
        log.error("%s", failure.sentence)
    log.error("the Kafka clients did not close within %.0f s: ending without (ER-28)", _LEAVES_WITHIN)
    os._exit(AGAIN if failure is None else failure.code)
