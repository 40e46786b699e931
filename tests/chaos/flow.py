"""An application under load for soak and chaos: its configuration and topics, and input that flows until it is stopped."""

import random
import threading
import time
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaError, Message

from tests.chaos.inputs import CONFIGURATION, FUNNELS, Inputs, Sent
from tests.deployment import Deployment

LEADS = 600
RATE = 400
"""Records a second."""
_FLUSHED_WITHIN = 120.0
"""Seconds; brokers may be away while the flow ends."""


class Flow(threading.Thread):
    """Sends records at a steady rate until it is stopped."""

    def __init__(self, deployment: Deployment, seed: int, leads: int = LEADS, rate: int = RATE) -> None:
        super().__init__(name="flow", daemon=True)
        self.sent: list[Sent] = []
        self._deployment = deployment
        self._inputs = Inputs(seed, leads)
        self._rate = rate
        self._chance = random.Random(seed)
        self._ended = threading.Event()
        self._refused = ""
        self._undelivered = "it was not sent to its end"

    def run(self) -> None:
        producer = self._deployment.producer()
        began = time.monotonic()
        while not self._ended.is_set():
            while len(self.sent) < (time.monotonic() - began) * self._rate and len(producer) < 50_000:
                sent = self._inputs.next()
                self.sent.append(sent)
                topic = self._deployment.source_topic[sent.source]
                # Any partition: what is about one lead comes over several of them, in any order.
                producer.produce(topic, sent.value, partition=self._chance.randrange(4), on_delivery=self._delivered)
                producer.poll(0)
            time.sleep(0.01)
        left = producer.flush(_FLUSHED_WITHIN)
        self._undelivered = self._refused or (f"{left} records are left" if left else "")

    def end(self) -> list[Sent]:
        """Stop it; what it has sent is with the brokers then, else nothing can be said of what came of it."""
        self._ended.set()
        self.join(_FLUSHED_WITHIN + 30)
        assert not self._undelivered, f"the input could not be delivered: {self._undelivered}"
        return self.sent

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._refused = self._refused or error.str()


def deploy(bootstrap: str, folder: Path, name: str) -> Deployment:
    """An application with topics of its own; its files go to the folder."""
    (folder / "funnels").mkdir()
    for file, text in FUNNELS.items():
        (folder / "funnels" / file).write_text(text)
    config = folder / f"{name}.yml"
    config.write_text(CONFIGURATION.format(application=f"{name}-{uuid4().hex[:8]}", folder=folder, bootstrap=bootstrap))
    return Deployment(config, folder)
