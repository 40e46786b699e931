"""The faults of `make chaos`: what can be done to one worker, to its store and clock, and to the broker, while input flows.

All that chance decides about a fault is drawn before it is dealt out: a seed gives the same faults in the same order. When they
hit, real processes decide. Whatever a worker ends with, its supervisor starts it again after a second.
"""

import contextlib
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.broker.discovery import Broker
from tests.clock import DAY, wrong_clock
from tests.disk import Disk, small_disk
from tests.kafka.processes import WorkerProcess

_ROOM = 256 << 20
"""Bytes of the disk of a store."""
_BACKOFF = 1.0
"""Seconds from the end of a worker to its next start."""
_OURS = (1, 2, 4)
"""Exit codes that no fault explains: definitions, usage, a bug."""
_GARBAGE = bytes(range(256)) * 16
_CLOCKS = (-2 * DAY, -3_600.0, 3_000.0, 2 * DAY)
"""Seconds that a clock may be off by; brokers refuse what is written more than an hour ahead."""


class Fault(NamedTuple):
    """A fault as drawn from the seed.

    Attributes:
        kind: What is done.
        after: Seconds since the one before.
        worker: Number of the worker it is done to; for the broker's faults it means nothing.
        lasts: Seconds, where it has a length.
        choice: From 0 to 1, for whatever else is to be chosen.
    """

    kind: str
    after: float
    worker: int
    lasts: float
    choice: float


class Patient:
    """A worker, its disk, and when its supervisor starts it again."""

    def __init__(self, process: WorkerProcess, disk: Disk, store: Path) -> None:
        self.process = process
        self.disk = disk
        self.store = store
        self.due = 0.0
        self.wanted = True
        self.until: list[tuple[float, Callable[[], None]]] = []

    def start(self) -> None:
        command = self.process.command
        self.process.command = [*self.disk.prefix, *command[-8:]]
        self.process.start()
        self.due = 0.0


class Chaos:
    """Deals out faults.

    Attributes:
        dealt: How many of each kind.
        ended: How many times a worker ended by itself, by exit code.
    """

    def __init__(self, broker: Broker, patients: list[Patient], seed: int) -> None:
        self.dealt: Counter[str] = Counter()
        self.ended: Counter[int] = Counter()
        self._broker = broker
        self._patients = patients
        self._chance = random.Random(seed)

    def next(self) -> Fault:
        """The next fault of the seed."""
        chance = self._chance
        kind = chance.choices([*_KINDS], [weight for weight, _, _ in _KINDS.values()])[0]
        shortest, longest = _KINDS[kind][1]
        return Fault(
            kind,
            chance.uniform(0.2, 3.0),
            chance.randrange(len(self._patients)),
            chance.uniform(shortest, longest),
            chance.random(),
        )

    def deal(self, fault: Fault) -> None:
        """Wait for its time, then do it."""
        self.attend(fault.after)
        _KINDS[fault.kind][2](self, self._patients[fault.worker], fault)
        self.dealt[fault.kind] += 1

    def attend(self, seconds: float) -> None:
        """Be the supervisor for some seconds: end what has lasted long enough, start what has ended."""
        deadline = time.monotonic() + seconds
        while True:
            for patient in self._patients:
                self._attend_to(patient)
            if time.monotonic() >= deadline:
                return
            time.sleep(0.05)

    def heal(self) -> None:
        """End every fault at once, and let all workers run."""
        for patient in self._patients:
            for _, end in patient.until:
                end()
            patient.until.clear()
        self.attend(2 * _BACKOFF)

    def _attend_to(self, patient: Patient) -> None:
        now = time.monotonic()
        over = [each for each in patient.until if each[0] <= now]
        patient.until = [each for each in patient.until if each[0] > now]
        for _, end in over:
            end()
        if patient.process.running or not patient.wanted:
            return
        if not patient.due:
            patient.due = now + _BACKOFF
            code = patient.process.process.returncode
            if code >= 0:
                self.ended[code] += 1
            assert code not in _OURS, f"no fault explains this end:\n{patient.process.tail()}"
        elif now >= patient.due:
            patient.start()

    # The faults. Each leaves behind what ends it, if it lasts.

    def _kill(self, patient: Patient, fault: Fault) -> None:
        patient.process.kill9()

    def _stop(self, patient: Patient, fault: Fault) -> None:
        """An orderly end; one that is just starting has no handler yet and ends like any process."""
        if patient.process.running:
            patient.process.sigterm()

    def _pause(self, patient: Patient, fault: Fault) -> None:
        if patient.process.running:
            paused = patient.process.process
            patient.process.sigstop()
            self._later(patient, fault, lambda: paused.send_signal(signal.SIGCONT))  # nothing, if it has ended

    def _lose_store(self, patient: Patient, fault: Fault) -> None:
        patient.process.kill9()
        shutil.rmtree(patient.store, ignore_errors=True)

    def _damage_store(self, patient: Patient, fault: Fault) -> None:
        """One file of it is cut short or overwritten in the middle: noticed at the start, or in the first read of a block."""
        patient.process.kill9()
        kinds = (sorted(patient.store.glob(kind)) for kind in ("*.sst", "*.log", "MANIFEST*"))
        files = next((found for found in kinds if found), [])
        if not files:
            return
        file = files[int(2 * fault.choice * len(files)) % len(files)]
        size = file.stat().st_size
        with contextlib.suppress(OSError), file.open("r+b") as opened:  # it may be read-only just now
            if fault.choice < 0.5:
                opened.truncate(size // 2)
            else:
                opened.seek(size // 2)
                opened.write(_GARBAGE[: max(size // 4, 1)])

    def _protect_store(self, patient: Patient, fault: Fault) -> None:
        patient.process.kill9()
        patient.disk.protect()
        self._later(patient, fault, patient.disk.unprotect)

    def _fill_disk(self, patient: Patient, fault: Fault) -> None:
        patient.disk.fill()
        self._later(patient, fault, patient.disk.make_room)

    def _wrong_clock(self, patient: Patient, fault: Fault) -> None:
        """From its next start on; right again from the one after the fault is over, which comes with a kill."""
        patient.process.kill9()
        patient.process.environment = wrong_clock(_CLOCKS[int(fault.choice * len(_CLOCKS))])

        def right() -> None:
            patient.process.environment.clear()
            patient.process.kill9()

        self._later(patient, fault, right)

    def _remove_worker(self, patient: Patient, fault: Fault) -> None:
        """It leaves for a while; unless it is the last."""
        if not patient.wanted or sum(each.wanted for each in self._patients) == 1:
            return
        self._stop(patient, fault)
        patient.wanted = False
        self._later(patient, fault, lambda: setattr(patient, "wanted", True))

    def _kill_broker(self, patient: Patient, fault: Fault) -> None:
        self._broker.kill()
        self.attend(fault.lasts)
        self._broker.start()

    def _restart_broker(self, patient: Patient, fault: Fault) -> None:
        self._broker.shut_down()
        self.attend(fault.lasts)
        self._broker.start()

    def _pause_broker(self, patient: Patient, fault: Fault) -> None:
        self._broker.pause()
        self.attend(fault.lasts)
        self._broker.resume()

    def _later(self, patient: Patient, fault: Fault, end: Callable[[], None]) -> None:
        patient.until.append((time.monotonic() + fault.lasts, end))


_Deal = Callable[[Chaos, Patient, Fault], None]
_KINDS: dict[str, tuple[float, tuple[float, float], _Deal]] = {
    "kill -9": (30, (0, 0), Chaos._kill),
    "SIGTERM": (8, (0, 0), Chaos._stop),
    "paused for seconds": (8, (0.5, 5), Chaos._pause),
    "paused past its timeouts": (1.5, (62, 75), Chaos._pause),
    "store deleted": (6, (0, 0), Chaos._lose_store),
    "store damaged": (6, (0, 0), Chaos._damage_store),
    "store read-only": (4, (3, 8), Chaos._protect_store),
    "disk full": (4, (3, 8), Chaos._fill_disk),
    "clock wrong": (6, (5, 20), Chaos._wrong_clock),
    "worker away": (4, (3, 20), Chaos._remove_worker),
    "broker kill -9": (2, (0, 6), Chaos._kill_broker),
    "broker restarted": (2, (0, 6), Chaos._restart_broker),
    "broker paused": (3, (1, 12), Chaos._pause_broker),
}
"""Weight, shortest and longest length in seconds, and the deed."""
KINDS = tuple(_KINDS)


def patients_of(folder: Path, make: Callable[[str, Path], tuple[WorkerProcess, Path]], count: int) -> list[Patient]:
    """Workers that are started, each with a disk of its own.

    Args:
        folder: The disks are made in it.
        make: From a worker's name and the folder for its state to the process and the folder of its store.
        count: How many.
    """
    patients = []
    for number in range(1, count + 1):
        disk = small_disk(folder / f"disk-{number}", _ROOM)
        process, store = make(f"worker-{number}", disk.folder)
        patients.append(Patient(process, disk, store))
        patients[-1].start()
    return patients
