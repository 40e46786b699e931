"""A broker in a container of the apache/kafka image, through testcontainers.

A plain container, because testcontainers' Kafka class needs another vendor's start script. Setting any environment variable
replaces the image's whole default configuration, so all of it is given. Its ports on the host are chosen before the start: the
broker must advertise them, and a restarted container must keep them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from tests.broker.properties import ONE_NODE, escaped, free_port, listening

IMAGE = "apache/kafka:4.3.1"
INSIDE = 9092
"""The first port inside; further listeners take those after it."""
CONTROLLER = 29093


class NoDocker(Exception):
    """There is no Docker daemon to ask."""


class ContainerBroker:
    """One KRaft node in a container; removed with all data by `stop`, and by testcontainers when this process dies."""

    def __init__(self, properties: dict[str, str], protocols: Mapping[str, str]) -> None:
        host = _docker().host()
        ports = {name: (inside, free_port()) for inside, name in enumerate(("PLAINTEXT", *protocols), INSIDE)}
        self.listeners = {name: f"{host}:{outside}" for name, (_, outside) in ports.items()}
        self.bootstrap = self.listeners["PLAINTEXT"]
        self.origin = f"Docker, {IMAGE}"
        self.pid = None  # a process of the daemon's machine, which need not be this one
        bound = {name: f":{inside}" for name, (inside, _) in ports.items()} | {"CONTROLLER": f":{CONTROLLER}"}
        own = {"controller.quorum.voters": f"1@localhost:{CONTROLLER}"} | listening(bound, self.listeners, protocols)
        self._container = _kafka(ONE_NODE | own | properties, ports.values())
        self._created = False

    def start(self) -> None:
        """Create the container, or start the killed one again."""
        if self._created:
            self._container.get_wrapped_container().start()
            return
        self._container.start()
        self._created = True

    def kill(self) -> None:
        """SIGKILL; the container and its data stay."""
        self._container.get_wrapped_container().kill()

    def stop(self) -> None:
        """Remove the container."""
        if self._created:
            self._created = False
            self._container.stop()


def _docker() -> Any:
    """testcontainers' client of a daemon that answers."""
    try:
        client = DockerClient()
        client.client.ping()
    except Exception as why:  # whatever the library raises: this way is closed
        raise NoDocker(f"Docker does not answer ({type(why).__name__})") from why
    return client


def _kafka(settings: dict[str, str], ports: Iterable[tuple[int, int]]) -> Any:
    """The container, not started; `_`, `.` and `-` of a property are written as the image wants them.

    The image copies values into a properties file as they are. A listener whose name ends in SSL makes it ask for files.
    """
    kafka = DockerContainer(IMAGE)
    for inside, outside in ports:
        kafka = kafka.with_bind_ports(inside, outside)
    for name, value in settings.items():
        variable = name.replace("_", "__").replace("-", "___").replace(".", "_").upper()
        kafka = kafka.with_env(f"KAFKA_{variable}", escaped(value))
    return kafka
