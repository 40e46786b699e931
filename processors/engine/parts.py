"""What the parts of one worker share: its settings, its clients, its state and what it reports to.

Made once by `worker.py`; each part takes from it what it needs when it is made, and names it so.
"""

import threading
from dataclasses import dataclass

from confluent_kafka import Consumer

from processors.engine.admin import AdminClient
from processors.engine.broker_errors import BrokerErrors
from processors.engine.health import Health
from processors.engine.lanes import Lane, Place
from processors.engine.metrics import Metrics
from processors.engine.settings import Clients, EngineSettings
from processors.engine.storehouse import Storehouse
from processors.engine.transaction import Transaction
from processors.topology.definition_digests import Definitions


@dataclass(frozen=True)
class Parts:
    """The shared parts of a worker.

    Attributes:
        settings: What the worker is told.
        clients: What librdkafka is told.
        definitions: What decides what becomes of a fact.
        partitions: Partition count of facts and changelog.
        facts_id: Kafka's id of the facts topic.
        sources: Every source partition of the application, as there were at the start.
        admin: Asked for offsets, told to purge.
        consumer: The member of the group.
        transaction: Everything that leaves the worker.
        storehouse: Opens and holds the rows.
        lanes: The partitions that flow now, by topic and partition.
        errors: What clients said outside of calls.
        metrics: What the worker exports.
        health: What its probes answer.
        stopping: Set when the worker is to leave.
    """

    settings: EngineSettings
    clients: Clients
    definitions: Definitions
    partitions: int
    facts_id: str
    sources: tuple[Place, ...]
    admin: AdminClient
    consumer: Consumer
    transaction: Transaction
    storehouse: Storehouse
    lanes: dict[Place, Lane]
    errors: BrokerErrors
    metrics: Metrics
    health: Health
    stopping: threading.Event
