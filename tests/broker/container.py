"""A broker in a container of the apache/kafka image, through testcontainers.

A plain container, because testcontainers' Kafka class needs another vendor's start script. Setting any environment variable
replaces the image's whole default configuration, so all of it is given. Its ports on the host are chosen before the start: the
broker must advertise them, and a restarted container must keep them. Nodes of a cluster reach each other over a network of
their own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.network import Network

from tests.broker.properties import CLUSTER, Node, escaped, free_port, listening, properties_of

IMAGE = "apache/kafka:4.2.2"
"""The version of pom.xml, which says why it is not a newer one."""
INSIDE = 9092
"""The first port inside; further listeners take those after it."""
PEERS = 19092
CONTROLLER = 29093
_SHUTS_DOWN_WITHIN = 60
"""Seconds of an orderly stop: it hands its partitions to its peers, if it has any."""


class NoDocker(Exception):
    """There is no Docker daemon to ask."""


class ContainerBroker:
    """One KRaft node in a container; removed with all data by `stop`, and by testcontainers when this process dies."""

    def __init__(
        self, properties: dict[str, str], protocols: Mapping[str, str], node: Node | None = None, peers: list[Node] | None = None
    ) -> None:
        """A node that is not started; without `node` the only one of its cluster."""
        host = _docker().host()
        node = node or _node(host, 1, "localhost", protocols)
        self.listeners = {**node.listeners}
        self.bootstrap = self.listeners["PLAINTEXT"]
        self.origin = f"Docker, {IMAGE}"
        self.pid = None  # a process of the daemon's machine, which need not be this one
        inside = {name: port for port, name in enumerate(self.listeners, INSIDE)}
        bound = {name: f":{port}" for name, port in (inside | {"CONTROLLER": CONTROLLER}).items()}
        advertised, among = self.listeners, "PLAINTEXT"
        if peers is not None:
            among = "PEERS"
            bound |= {among: f":{PEERS}"}
            advertised = advertised | {among: f"{node.controller.partition(':')[0]}:{PEERS}"}
        settings = properties_of(node, peers or [node]) | listening(bound, advertised, protocols, among)
        outside = {inside[name]: int(address.rpartition(":")[2]) for name, address in self.listeners.items()}
        self._container = _kafka(settings | properties, outside)
        self._created = False

    def join(self, network: Network, name: str) -> None:
        """Be reached by the peers under this name."""
        self._container.with_network(network).with_network_aliases(name)

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

    def shut_down(self) -> None:
        """SIGTERM, and wait; the container and its data stay."""
        self._container.get_wrapped_container().stop(timeout=_SHUTS_DOWN_WITHIN)

    def pause(self) -> None:
        """Freeze the container, with its sockets open: a broker that hangs."""
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        """Let a frozen container run again."""
        self._container.get_wrapped_container().unpause()

    def stop(self) -> None:
        """Remove the container."""
        if self._created:
            self._created = False
            self._container.stop()


def container_cluster(properties: dict[str, str], count: int) -> list[ContainerBroker]:
    """So many nodes of one cluster, not started, on a network that testcontainers removes with this process."""
    host = _docker().host()
    network = Network().create()
    nodes = [_node(host, number, f"node-{number}") for number in range(1, count + 1)]
    brokers = [ContainerBroker(properties, {}, node, nodes) for node in nodes]
    for broker, node in zip(brokers, nodes, strict=True):
        broker.join(network, node.controller.partition(":")[0])
    return brokers


def _node(host: str, number: int, name: str, listeners: Iterable[str] = ()) -> Node:
    """A node that clients reach at free ports of the host, by these listeners besides PLAINTEXT, and its peers by its name."""
    addresses = {listener: f"{host}:{free_port()}" for listener in ("PLAINTEXT", *listeners)}
    return Node(number, addresses, f"{name}:{CONTROLLER}")


def _docker() -> Any:
    """testcontainers' client of a daemon that answers."""
    try:
        client = DockerClient()
        client.client.ping()
    except Exception as why:  # whatever the library raises: this way is closed
        raise NoDocker(f"Docker does not answer ({type(why).__name__})") from why
    return client


def _kafka(settings: dict[str, str], ports: Mapping[int, int]) -> Any:
    """The container, not started; `_`, `.` and `-` of a property are written as the image wants them.

    The image copies values into a properties file as they are. A listener whose name ends in SSL makes it ask for files.
    """
    kafka = DockerContainer(IMAGE).with_env("CLUSTER_ID", CLUSTER)
    for inside, outside in ports.items():
        kafka = kafka.with_bind_ports(inside, outside)
    for name, value in settings.items():
        variable = name.replace("_", "__").replace("-", "___").replace(".", "_").upper()
        kafka = kafka.with_env(f"KAFKA_{variable}", escaped(value))
    return kafka
