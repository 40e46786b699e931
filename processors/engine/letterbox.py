"""The dead-letters topic as a whole: every dead letter, and whether it was sent back already.

A letter and its receipt lie in one partition, the receipt later, so retention takes the letter first. Two passes up to ends that
were asked once: the first remembers receipts (two numbers each), the second hands out letters one by one, so that memory holds
neither values nor the topic.
"""

from collections import Counter
from collections.abc import Iterator

from confluent_kafka import Message

from processors.engine.standalone import Standalone
from processors.topology import letters
from processors.topology.letters import DeadLetter, Place, Posted, Receipt
from schemas.instants import MILLISECOND


class Letterbox:
    """Reads the dead-letters topic.

    Attributes:
        foreign: Records that are neither dead letters nor receipts, of the last reading.
    """

    def __init__(self, log: Standalone, topic: str) -> None:
        """Nothing is read yet; `log` stays the caller's to close."""
        self._log = log
        self._topic = topic
        self.foreign = 0

    def letters(self) -> Iterator[Posted]:
        """Every dead letter that is committed now, each partition in its order.

        Raises:
            Stop: The topic is not there or cannot be read.
        """
        bounds = self._log.bounds(self._log.places([self._topic]))
        self.foreign = 0
        sent: Counter[Place] = Counter()
        for message in self._log.through(bounds):
            found = _read(message)
            if isinstance(found, Receipt):
                sent[found.of] += 1
            elif found is None:
                self.foreign += 1
        for message in self._log.through(bounds):
            found = _read(message)
            if isinstance(found, DeadLetter):
                yield Posted(found, sent[found.place])


def _read(message: Message) -> DeadLetter | Receipt | None:
    return letters.read(stored(message))


def stored(message: Message) -> letters.Stored:
    """A record of the dead-letters topic, free of Kafka."""
    return letters.Stored(
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1] * MILLISECOND,
        message.key(),
        message.value(),
        message.headers() or (),  # type: ignore[arg-type]  # a list of pairs, with bytes
    )
