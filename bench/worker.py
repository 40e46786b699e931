"""The worker of the common job: `funnelstream run`, configured from the driver's environment.

The driver makes topics for engines that bring none; ours need a facts topic with log-append time, so it makes its own
and only publishes to the driver's conversions and transitions. With `WORKERS=n` it is n processes under one parent.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from processors.cli import main as command

CONFIGURATION = """\
application: {APP_ID}
definitions: {funnel}
kafka: {{bootstrap.servers: "{BOOTSTRAP}", retry.backoff.ms: "5"}}
topics:
  prefix: {APP_ID}
  partitions: 4
  transitions: {TRANSITIONS_TOPIC}
  conversions: {CONVERSIONS_TOPIC}
state: {{path: {STATE_DIR}/store}}
identity: {{namespaces: [{{name: user, kind: lead}}, {{name: anonymous, kind: visitor}}]}}
sources:
  web: {{topics: [{IN_TOPIC}], format: segment, identifiers: {{userId: user, anonymousId: anonymous}}}}
limits: {{batch_time: {COMMIT_MS}ms}}
http: {{listen: "127.0.0.1:0"}}
log: {{level: warning}}
"""


def main() -> None:
    """Become `funnelstream run`, or the parent of several."""
    folder = Path(os.environ["STATE_DIR"])
    config = folder / "funnelstream.yml"
    if not config.exists():
        config.write_text(CONFIGURATION.format(**os.environ, funnel=Path(__file__).with_name("funnel.yml")))
        sys.argv = ["funnelstream", "topics", "create", "--config", str(config)]
        command.run_command()  # the driver's own two topics differ in retention, which it says; what is missing, `run` will say
    workers = int(os.environ.get("WORKERS", "1"))
    if workers > 1:
        sys.exit(_several(config, workers))
    sys.argv = ["funnelstream", "run", "--config", str(config), "--instance", "bench"]
    command.main()


def _several(config: Path, workers: int) -> int:
    """Run several workers until one ends or SIGTERM comes; then all end. Returns the worst exit code."""
    run = [sys.executable, "-m", "processors.cli.main", "run", "--config", str(config), "--instance"]
    children = [subprocess.Popen([*run, f"bench-{number}"]) for number in range(workers)]

    def stop(*_: object) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    stop()
    return max(abs(child.wait()) for child in children)


if __name__ == "__main__":
    main()
