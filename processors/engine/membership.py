"""Who else is in the group, and under which definitions: two sets would judge one history in two ways, and never run together.

A member's name carries a digest of its definitions, for that is all of a member that brokers tell others: of a static one the
instance, of a dynamic one the client id. A worker waits at its start until members with other definitions are gone, and looks
once more when it has joined: of two that start at once the later sees the earlier. Brokers do not tell a worker that runs from
one that was stopped a moment ago, so waiting for the end of its session is the only way to be sure.
"""

import logging
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b

from confluent_kafka import KafkaException

from processors.engine.admin import AdminClient
from processors.engine.described import Member, describe_group
from processors.engine.stop import INPUT, Stop
from processors.engine.triage import error_of

log = logging.getLogger(__name__)

_LOOKED_EVERY = 1.0
"""Seconds."""


def member_name(name: str, definitions: str) -> str:
    """The name under which an instance or a client is in the group."""
    return f"{name}.{_short(definitions)}"


def _short(definitions: str) -> str:
    return blake2b(definitions.encode(), digest_size=4).hexdigest()


def with_others(members: Iterable[Member], definitions: str) -> list[Member]:
    """The workers among the members of a group that run other definitions than these."""
    return [member for member in members if member.definitions not in ("", _short(definitions))]


class Agreement:
    """Whether all members of a group run one set of definitions."""

    def __init__(self, admin: AdminClient, group: str, definitions: str, patience: float) -> None:
        """Prepare to ask.

        Args:
            admin: Asks the brokers.
            group: The group.
            definitions: Digest of the definitions of this worker.
            patience: Seconds to wait for members with other definitions to leave.
        """
        self._admin = admin
        self._group = group
        self._definitions = definitions
        self._patience = patience
        self._confirmed = False

    def wait(self, beat: Callable[[], None]) -> bool:
        """Wait, before joining, until no member has other definitions; returns whether there was one.

        Args:
            beat: Called between two looks.

        Raises:
            Stop: One has not left.
        """
        deadline = time.monotonic() + self._patience
        waited = False
        while others := self._others():
            if not waited:
                log.info("waiting for the sessions of members with other definitions to end: %s", _words(others))
            waited = True
            if time.monotonic() > deadline:
                raise self._disagreement(others)
            beat()
            time.sleep(_LOOKED_EVERY)
        return waited

    def confirm(self, joined: bool) -> None:
        """Look once more after joining: somebody may have joined at the same moment.

        Raises:
            Stop: Somebody with other definitions has.
        """
        if self._confirmed or not joined:
            return
        self._confirmed = True
        if others := self._others():
            raise self._disagreement(others)

    def _others(self) -> list[Member]:
        try:
            members = describe_group(self._admin, self._group).members
        except KafkaException as why:  # what a restored mark says is looked at all the same
            log.warning("the members of the group %s cannot be looked at: %s", self._group, error_of(why).str())
            return []
        return with_others(members, self._definitions)

    def _disagreement(self, others: Iterable[Member]) -> Stop:
        return Stop(
            INPUT,
            f"the group {self._group} has members with other definitions than this worker's {self._definitions}: "
            f"{_words(others)}. Two sets would judge one history in two ways. Stop all workers, then start all with the same "
            "files; one that was stopped or killed counts until its session ends (session.timeout.ms, 45 s unless configured).",
        )


def _words(members: Iterable[Member]) -> str:
    return ", ".join(member.words for member in members)
