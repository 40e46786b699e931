"""A broker in a container of the apache/kafka image, through testcontainers.

A plain container, because testcontainers' Kafka class needs another vendor's start script. Setting any environment variable
replaces the image's whole default configuration, so all of it is given. Its port on the host is chosen before the start: the
broker must advertise it, and a restarted container must keep it.
"""

from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from tests.broker.properties import ONE_NODE, free_port

IMAGE = "apache/kafka:4.3.1"
INSIDE = 9092
CONTROLLER = 29093


class NoDocker(Exception):
    """There is no Docker daemon to ask."""


class ContainerBroker:
    """One KRaft node in a container; removed with all data by `stop`, and by testcontainers when this process dies."""

    def __init__(self, properties: dict[str, str]) -> None:
        client = _docker()
        host = client.host()
        port = free_port()
        self.bootstrap = f"{host}:{port}"
        self.origin = f"Docker, {IMAGE}"
        self.pid = None  # a process of the daemon's machine, which need not be this one
        settings = ONE_NODE | {
            "controller.quorum.voters": f"1@localhost:{CONTROLLER}",
            "listeners": f"PLAINTEXT://:{INSIDE},CONTROLLER://:{CONTROLLER}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
        }
        self._container = _kafka(settings | properties, port)
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


def _kafka(settings: dict[str, str], port: int) -> Any:
    """The container, not started; `_`, `.` and `-` of a property are written as the image wants them."""
    kafka = DockerContainer(IMAGE).with_bind_ports(INSIDE, port)
    for name, value in settings.items():
        variable = name.replace("_", "__").replace("-", "___").replace(".", "_").upper()
        kafka = kafka.with_env(f"KAFKA_{variable}", value)
    return kafka
