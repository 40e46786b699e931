"""A worker runs on librdkafka's built-in mock broker, as the demo needs it: one worker, no restart. It proves nothing else."""

import json
import threading
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from processors.engine.settings import EngineSettings
from processors.engine.worker import Worker
from schemas.application import OwnTopics
from tests.kafka.summing import Summing

pytestmark = pytest.mark.slow

NAMES = OwnTopics("facts", "changelog", "transitions", "conversions", "leads", "metrics", "dead")


def test_a_worker_runs_on_the_mock_broker(tmp_path: Path) -> None:
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
    broker = next(iter(mock.list_topics(timeout=10).brokers.values()))
    kafka = {"bootstrap.servers": f"{broker.host}:{broker.port}"}
    for topic in ("input", *NAMES):
        mock.list_topics(topic, timeout=10)  # it makes the topics that it is asked for
    settings = EngineSettings("demo", "demo", kafka, {"input": "web"}, NAMES, tmp_path / "state", listen=None)
    worker = Worker(settings, Summing(), check_configs=False)
    thread = threading.Thread(target=worker.run)
    thread.start()
    reader = Consumer({**kafka, "group.id": "reader", "auto.offset.reset": "earliest", "log_level": 0})
    try:
        for number in range(100):
            mock.produce("input", str(number).encode(), b"a")
        assert mock.flush(10) == 0
        reader.assign([TopicPartition("transitions", partition, 0) for partition in range(4)])
        last, deadline = 0, time.monotonic() + 30
        while last < 100 and time.monotonic() < deadline:
            message = reader.poll(0.1)
            if message is not None and message.error() is None:
                last = json.loads(message.value() or b"")["count"]
        assert last == 100
    finally:
        worker.stop()
        thread.join(30)
        reader.close()
    assert not thread.is_alive()
