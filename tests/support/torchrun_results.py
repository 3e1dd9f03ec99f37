"""Programs of tests that torchrun starts on CPU ranks, and what they print of their findings."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def torchrun_results(repository: Path, ranks: int, *words: str) -> list[dict[str, Any]]:
    """Run a module with its arguments on so many CPU ranks, and return the JSON behind each `RESULT `."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(ranks)]
    done = subprocess.run(
        [*command, "-m", *words],
        cwd=repository,
        env={**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("RESULT ")]
