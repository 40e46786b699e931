"""The worker of the common job: `funnelstream run`, configured from the driver's environment.

The driver makes topics for engines that bring none; ours need a facts topic with log-append time, so it makes its own
and only publishes to the driver's conversions and transitions. With `WORKERS=n` it makes way for n of them (`several.py`), with
`NUMBERS=off` it counts nothing (`variants.py`).
"""

import os
import sys
from pathlib import Path

from processors.cli import main as command
from processors.topology.subject import Subject

CONFIGURATION = """\
application: {APP_ID}
definitions: {funnel}
kafka: {{bootstrap.servers: "{BOOTSTRAP}"}}
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
    """Become `funnelstream run`, or several."""
    folder = Path(os.environ["STATE_DIR"])
    config = folder / "funnelstream.yml"
    if not config.exists():
        config.write_text(CONFIGURATION.format(**os.environ, funnel=Path(__file__).with_name("funnel.yml")))
        sys.argv = ["funnelstream", "topics", "create", "--config", str(config)]
        command.run_command()  # the driver's own two topics differ in retention, which it says; what is missing, `run` will say
    if "WORKERS" in os.environ:
        os.execv(sys.executable, [sys.executable, "-m", "bench.several", str(config), os.environ["WORKERS"]])
    if os.environ.get("NUMBERS") == "off":
        Subject._contribute = _nothing  # type: ignore[method-assign]  # a worker has no setting for it
    sys.argv = ["funnelstream", "run", "--config", str(config), "--instance", "bench"]
    command.main()


def _nothing(*_: object, **__: object) -> None:
    """Posts no part of any number."""


if __name__ == "__main__":
    main()
