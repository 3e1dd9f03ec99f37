"""How long training stands still for a checkpoint, and what saving costs beside it: at once, and while it goes on.

    python -m tests.benchmarks.saving [--hidden 768] [--ranks 2] [--folder DIR] [--convert]

With `--convert` instead what the copy for other ranks costs: bytes read and written, and CPU seconds.

Wall seconds of a busy machine mean little; CPU seconds, and the ratio of the two ways on the same machine, do.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

from tests.support.small_tokens import made_up_texts, write_tokens
from train.config import TrainConfig
from train.launch.stage import train

STEPS, EVERY = 24, 6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--folder", help="of the file system that checkpoints are written to")
    parser.add_argument("--convert", action="store_true", help="measure the copy for other ranks")
    arguments = parser.parse_args()
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folder = Path(place)
        tokens = write_tokens(folder / "tokens", made_up_texts(400, seed=1), vocab_size=300, seq_length=64)
        if arguments.convert:
            train(settings(arguments.hidden, arguments.ranks, steps=1), tokens=str(tokens), output=str(folder / "run"))
            print(converted(folder / "run"), flush=True)
            return
        for later in (False, True):
            print(measured(folder, str(tokens), arguments.hidden, arguments.ranks, later=later), flush=True)


def measured(folder: Path, tokens: str, hidden: int, ranks: int, *, later: bool) -> str:
    """Train once and return a line of figures."""
    run = folder / ("later" if later else "now")
    config = settings(hidden, ranks, steps=STEPS, later=later)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    train(config, tokens=tokens, output=str(run))
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    still: dict[int, float] = {}
    for line in lines:
        still[line["step"]] = still.get(line["step"], 0.0) + line.get("seconds_for_save", 0.0)
    saves = [still[step] for step in range(EVERY, STEPS, EVERY)]  # the last is waited for either way
    steps = statistics.median(line["seconds"] for line in lines if "seconds" in line)
    checkpoint = sum(path.stat().st_size for path in (run / "checkpoints").rglob("*") if path.is_file())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = max(line["memory_gb_most"] for line in lines if "memory_gb_most" in line)
    way, each = "while training goes on" if later else "at once", ", ".join(f"{save:.2f}" for save in saves)
    return (
        f"{way:<24} {checkpoint / 1e6:,.0f} MB, {ranks} ranks: stands still {statistics.median(saves):.2f} s a save "
        f"({each}), a step {steps:.2f} s, {cpu:.0f} CPU s, {wall:.0f} s, {memory:.2f} GB most of a rank"
    )


def settings(hidden: int, ranks: int, *, steps: int, later: bool = False) -> TrainConfig:
    """Return the configuration of a run."""
    return TrainConfig.model_validate(
        {
            "model": {"layers": 6, "heads": 4, "hidden": hidden},
            "steps": steps,
            "save_every": EVERY,
            "batch_rows": 8 * ranks,
            "micro_batch": 2,
            "learning_rate": 1e-4,
            "warmup_steps": 1,
            "eval_every": 1000,
            "eval_rows": 2,
            "sample_tokens": 0,
            "keep_checkpoints": 1,
            "log_every": steps,
            "ranks": ranks,
            "save_async": later,
        }
    )


def converted(run: Path) -> str:
    """Make the universal copy of a run's newest checkpoint in this process and return a line of figures."""
    from train.checkpoint.store import read_list
    from train.checkpoint.universal import make_universal

    name = (read_list(str(run)) or ())[-1].name
    states = sum(path.stat().st_size for path in (run / "checkpoints" / name).rglob("*optim_states.pt"))
    before, used = _bytes_moved(), time.process_time()
    make_universal(str(run), name)
    read, written = (after - was for after, was in zip(_bytes_moved(), before, strict=True))
    seconds = time.process_time() - used
    return (
        f"converting {states / 1e6:,.0f} MB of states: {read / states:.1f} times read, {written / states:.1f} times "
        f"written, {seconds:.1f} CPU s, {seconds / states * 1e9:.1f} a GB"
    )


def _bytes_moved() -> tuple[int, int]:
    """Return the bytes that this process has read and written, from the page cache too."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(lines["rchar"]), int(lines["wchar"])


if __name__ == "__main__":
    main()
