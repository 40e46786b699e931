"""A broker in a JVM of this machine, from jars that Maven resolves: for machines without Docker.

The JVM is a grandchild behind a small shell that waits on a pipe: when this process ends, however it ends, the pipe closes and
the shell kills the broker. Nothing is left running after a crash of the tests.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.broker.properties import CLUSTER, Node, escaped, free_port, listening, properties_of

HERE = Path(__file__).parent
LIBS = HERE / "target" / "libs"
JAVA_AT_LEAST = 17

_UNTIL_THE_PIPE_CLOSES = (
    'LOG=$1; shift; exec 3<&0; "$@" >"$LOG" 2>&1 </dev/null 3<&- & pid=$!; echo $pid; '
    "{ cat <&3; kill -9 $pid; } >/dev/null 2>&1 & exec >/dev/null 2>&1; wait $pid"
)
_SHUTS_DOWN_WITHIN = 60.0
"""Seconds of an orderly stop: it hands its partitions to its peers, if it has any."""


class NoJava(Exception):
    """Java or Maven is missing, too old, or Maven could not resolve the jars."""


class JvmBroker:
    """One KRaft node, broker and controller in one JVM, on free ports of the loopback interface."""

    def __init__(
        self, properties: dict[str, str], protocols: Mapping[str, str], node: Node | None = None, peers: list[Node] | None = None
    ) -> None:
        """A node that is not started; without `node` the only one of its cluster."""
        _check_java()
        _resolve_jars()
        node = node or local_node(1, protocols)
        self.listeners = {**node.listeners}
        self.bootstrap = self.listeners["PLAINTEXT"]
        self.origin = "Java with the jars of tests/broker/pom.xml"
        self._folder = Path(tempfile.mkdtemp(prefix="funnelstream-broker-"))
        self._settings = self._folder / "server.properties"
        self.log = self._folder / "broker.log"
        self._shell: subprocess.Popen[str] | None = None
        self._pid = 0
        self._heap = "1g" if peers is None else "512m"
        settings = properties_of(node, peers or [node]) | {"log.dirs": str(self._folder / "log")}
        settings |= listening(self.listeners | {"CONTROLLER": node.controller}, self.listeners, protocols)
        self._settings.write_text("".join(f"{name}={escaped(value)}\n" for name, value in (settings | properties).items()))
        self._format()

    @property
    def pid(self) -> int | None:
        """The JVM; None while it does not run."""
        return self._pid if self._shell is not None else None

    def start(self) -> None:
        """Start the JVM on the folder's data."""
        heap = ["-Xms256m", f"-Xmx{self._heap}", "-XX:+UseG1GC"]
        command = ["java", *heap, "-cp", f"{LIBS}/*", "kafka.Kafka", str(self._settings)]
        self._shell = subprocess.Popen(
            ["sh", "-c", _UNTIL_THE_PIPE_CLOSES, "sh", str(self.log), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests, which need their broker until they are done
        )
        assert self._shell.stdout is not None
        self._pid = int(self._shell.stdout.readline())

    def kill(self) -> None:
        """SIGKILL; the data stays for `start`."""
        self._end(signal.SIGKILL)

    def shut_down(self) -> None:
        """SIGTERM, and wait: an orderly stop; the data stays for `start`."""
        if self._shell is not None:
            os.kill(self._pid, signal.SIGTERM)
            self._shell.wait(_SHUTS_DOWN_WITHIN)
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop the JVM from running, with its sockets open: a broker that hangs."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused JVM run again."""
        os.kill(self._pid, signal.SIGCONT)

    def stop(self) -> None:
        """Kill the JVM and remove its data: nothing of a test broker is worth an orderly shutdown."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._shell is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, how)
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.wait()
        self._shell.stdout.close()
        self._shell = None

    def _format(self) -> None:
        tool = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{LIBS}/*", "kafka.tools.StorageTool"]
        done = subprocess.run(
            [*tool, "format", "-t", CLUSTER, "-c", str(self._settings)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NoJava(f"Kafka's StorageTool could not format {self._folder}: {done.stdout}{done.stderr}")


def local_node(number: int, listeners: Iterable[str] = ()) -> Node:
    """A node on free ports of this machine, with these listeners besides PLAINTEXT."""
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("PLAINTEXT", *listeners)}
    return Node(number, addresses, f"127.0.0.1:{free_port()}")


def jvm_cluster(properties: dict[str, str], count: int) -> list[JvmBroker]:
    """So many nodes of one cluster, not started."""
    nodes = [local_node(number) for number in range(1, count + 1)]
    return [JvmBroker(properties, {}, node, nodes) for node in nodes]


def _check_java() -> None:
    """A JVM that is new enough, and Maven."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        raise NoJava("Java 17+ and Maven are not both installed")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        raise NoJava(f"Java is too old ({said.splitlines()[0] if said else 'no version'}; {JAVA_AT_LEAST} or newer is needed)")


def _resolve_jars() -> None:
    """Let Maven copy the jars beside the pom once; two test runs at a time do not meet half a folder."""
    marker = LIBS / ".of"
    pom = (HERE / "pom.xml").read_text()
    if marker.exists() and marker.read_text() == pom:
        return
    fresh = LIBS.with_name(f"libs-{os.getpid()}-{time.monotonic_ns()}")
    done = subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={fresh}"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        raise NoJava(f"Maven could not resolve tests/broker/pom.xml: {done.stdout.strip() or done.stderr.strip()}")
    (fresh / ".of").write_text(pom)
    shutil.rmtree(LIBS, ignore_errors=True)
    with contextlib.suppress(OSError):  # another run was first: its jars are the same
        fresh.rename(LIBS)
    shutil.rmtree(fresh, ignore_errors=True)
