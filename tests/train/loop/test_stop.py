"""A rank is asked to stop by as many signals as anybody sends: it never waits for itself."""

import subprocess
import sys

import pytest

STORM = """
import os, signal, subprocess, sys
from train.loop.stop import StopRequest
stop = StopRequest(output=".", rank=0, launcher=None)
stop.training.set()
stop.arm()
send = "import os, sys; [os.kill(int(sys.argv[1]), int(sys.argv[2])) for _ in range(20_000)]"
words = [sys.executable, "-c", send, str(os.getpid())]
sent = [subprocess.Popen([*words, str(int(number))]) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)]
while any(one.poll() is None for one in sent):
    stop.wanted(), stop.save_wanted()
print(stop.wanted())
os._exit(0)
"""


@pytest.mark.slow
def test_a_storm_of_signals_is_one_request() -> None:
    done = subprocess.run([sys.executable, "-c", STORM], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
