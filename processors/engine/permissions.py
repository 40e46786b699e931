"""The permissions a worker needs (ER-31): the one list that its start and `check` go by, and the commands that grant them."""

from collections.abc import Mapping
from shlex import quote
from typing import Literal, NamedTuple

from processors.engine.settings import EngineSettings

Resource = Literal["topic", "group", "transactional-id"]
"""As kafka-acls.sh calls them."""

ANONYMOUS = "User:ANONYMOUS"
_UNREADABLE = "User:NAME"
"""Stands in a command for a principal that only the brokers know: of a ticket or a token."""


class Permission(NamedTuple):
    """One operation on one resource.

    Attributes:
        operation: As Kafka calls it.
        resource: The kind of resource.
        name: Its name.
        without: What a worker does not do without it; empty where it cannot run without.
    """

    operation: str
    resource: Resource
    name: str
    without: str = ""

    @property
    def words(self) -> str:
        """The permission in a sentence."""
        return f"{self.operation} on {self.resource.replace('-', ' ')} {self.name}"


def needed(settings: EngineSettings, transactional_id: str) -> list[Permission]:
    """What the worker of these settings needs, and after it what it would like to have."""
    own, both = settings.topics, (settings.topics.facts, settings.topics.changelog)
    unchecked = "its settings cannot be checked"
    return [
        Permission("WRITE", "transactional-id", transactional_id),
        Permission("READ", "group", settings.application),
        *(Permission("READ", "topic", name) for name in (*settings.source_topics, *both)),
        *(Permission("WRITE", "topic", name) for name in own),
        Permission("DELETE", "topic", own.facts, without="old facts are not deleted"),
        *(Permission("DESCRIBE_CONFIGS", "topic", name, without=unchecked) for name in both),
    ]


def grant(permission: Permission, kafka: Mapping[str, object]) -> str:
    """The command that grants it to the user of these librdkafka settings."""
    arguments = {
        "--bootstrap-server": str(kafka.get("bootstrap.servers", "HOST:PORT")),
        "--allow-principal": principal(kafka),
        "--operation": permission.operation,
        f"--{permission.resource}": permission.name,
    }
    server, *rest = (f"{option} {quote(value)}" for option, value in arguments.items())
    return f"kafka-acls.sh {server} --add {' '.join(rest)}"


def principal(kafka: Mapping[str, object]) -> str:
    """Whom the brokers take this client for, unless they map principals: the SASL user, else the certificate's subject."""
    if str(kafka.get("security.protocol", "plaintext")).lower().startswith("sasl"):
        mechanism = str(kafka.get("sasl.mechanisms", kafka.get("sasl.mechanism", "GSSAPI"))).upper()
        if mechanism == "GSSAPI":
            return f"User:{kafka.get('sasl.kerberos.principal', 'kafkaclient')}"
        return f"User:{kafka['sasl.username']}" if "sasl.username" in kafka else _UNREADABLE
    from processors.engine.certificates import client_principal  # noqa: PLC0415 - X.509 is no part of a worker that starts

    return client_principal(kafka) or ANONYMOUS
