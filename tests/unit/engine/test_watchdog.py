"""A transaction call that hangs ends the process (ER-15); one that returns does not."""

import subprocess
import sys

HANGS = """
import time
from processors.engine.watchdog import Watchdog
dog = Watchdog()
dog.start()
with dog.limit("quick", 0.5):
    pass
time.sleep(2)
print("alive", flush=True)
with dog.limit("commit_transaction", 0.5):
    time.sleep(60)
print("never", flush=True)
"""


def test_er15_a_hanging_call_ends_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 5
    assert ended.stdout == "alive\n"
    assert "commit_transaction did not come back" in ended.stderr
