"""Several workers of one application under one parent, for the driver: it counts the processes of one command.

usage: python -m bench.several CONFIG WORKERS. Until one ends or SIGTERM comes; then all end. Imports nothing of ours, so that the
parent's own memory hardly counts.
"""

import os
import signal
import subprocess
import sys


def main() -> int:
    """Run them; the worst exit code."""
    config, workers = sys.argv[1], int(sys.argv[2])
    run = [sys.executable, "-m", "processors.cli.main", "run", "--config", config, "--instance"]
    children = [subprocess.Popen([*run, f"bench-{number}"]) for number in range(workers)]

    def stop(*_: object) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    stop()
    return max(abs(child.wait()) for child in children)


if __name__ == "__main__":
    sys.exit(main())
