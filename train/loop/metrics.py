"""Metrics of a run: `metrics.jsonl`, `timing.jsonl`, TensorBoard events, Weights & Biases, and lines for a person.

`metrics.jsonl` has no times, so that the same run gives the same bytes. MFU is (6N + 12·L·d·T) · tokens/s over the
peak of all devices, N without position embeddings; where no peak is known, as on a CPU, only the operations per second
are printed.
"""

import errno
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypedDict, cast

from corpus import storage
from corpus.errors import DiskError, UsageError
from corpus.storage.json_files import parse_numbers
from train.energy import SECONDS_AN_HOUR, TIMING

METRICS = "metrics.jsonl"
EVENTS = "tensorboard"


class Metrics(TypedDict, total=False):
    """A line of metrics.jsonl: of a training step, or of an evaluation after one."""

    step: int  # optimizer steps done [steps]
    loss: float  # of the step's batch [nats a token]
    learning_rate: float  # of the step
    gradient_norm: float  # global norm of the gradients; where DeepSpeed tells it
    skipped_rows: int  # left out of the order between the step before and this; see skipped.json [rows]
    tokens: int  # trained on up to the step, where batches grow; elsewhere they follow from it [tokens]
    accuracy: float  # of the questions that are asked in the loop; `accuracy_TASK` of those of a task [share of 1]
    validation_loss: float  # of an evaluation, over its rows [nats a token]
    validation_loss_pubmed: float  # of the tokens of citations [nats a token]
    validation_loss_pmc: float  # of the tokens of full texts [nats a token]
    validation_bits_per_byte: float  # of an evaluation, over its rows [bits a byte of text]
    validation_bits_per_byte_pubmed: float  # of citations [bits a byte of text]
    validation_bits_per_byte_pmc: float  # of full texts [bits a byte of text]


class Timing(TypedDict, total=False):
    """A line of timing.jsonl: of every step, and every `log_every` steps the speed since the last."""

    step: int  # optimizer steps done [steps]
    seconds: float  # that the step took [seconds]
    seconds_for_data: float  # before these, waiting for rows [seconds]
    seconds_for_save: float  # that training stood still for a checkpoint: one line, or two of an asynchronous one
    tokens_per_second: float  # over all ranks [tokens a second]
    mfu: float  # of the peak of all devices, where that is known [share of 1]
    seconds_for_data_most: float  # waiting for rows since the last speed, of the rank that waited longest [seconds]
    kwh: float  # of all devices in all steps so far, where their power is known [kilowatt hours]
    kg_co2: float  # of these, where `grid_grams_per_kwh` states the grid's [kilograms]
    memory_gb_most: float  # most memory of a rank so far: of its GPU, or of the process on a CPU [10^9 bytes]


def model_utilization(tokens_per_second: float, flops_per_token: int, peak_tflops: float | None) -> float | None:
    """Return the share of the peak of all devices together that the model's own operations are; None without one."""
    return None if peak_tflops is None else tokens_per_second * flops_per_token / 1e12 / peak_tflops


def speed_text(tokens_per_second: float, flops_per_token: int, peak_tflops: float | None) -> str:
    """Return throughput and MFU as text; `peak_tflops` is that of all devices together."""
    text = f"{tokens_per_second:,.0f} tokens/s  {tokens_per_second * flops_per_token / 1e9:,.0f} GFLOP/s"
    mfu = model_utilization(tokens_per_second, flops_per_token, peak_tflops)
    return text if mfu is None else f"{text}  MFU {100 * mfu:.1f} % of {peak_tflops:,.1f} TFLOP/s"


def read_metrics(output: str, until_step: int | None = None) -> list[Metrics]:
    """Return the lines of metrics.jsonl up to a step; a last line cut by a kill is left out."""
    path = storage.join(output, METRICS)
    if not storage.exists(path):
        return []
    with storage.open_read(path) as source:
        whole = [line for line in source if line.endswith(b"\n")]
    lines = cast(list[Metrics], parse_numbers(whole, path, "remove this line"))
    return [line for line in lines if until_step is None or line["step"] <= until_step]


def read_timing(output: str) -> list[Timing]:
    """Return the lines of timing.jsonl, of all tries of a run; a last line cut by a kill is left out."""
    path = storage.join(output, TIMING)
    if not storage.exists(path):
        return []
    with storage.open_read(path) as source:
        whole = [line for line in source if line.endswith(b"\n")]
    return cast(list[Timing], parse_numbers(whole, path, "remove this line"))


def _seconds(line: Timing) -> float:
    return line.get("seconds", 0.0) + line.get("seconds_for_data", 0.0)


class MetricsLog:
    """Open logs of rank 0; `step` is where the run (re)starts, later lines of an earlier try are cut."""

    def __init__(self, output: str, step: int, *, wandb_project: str | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter  # a second to import; rank 0 alone needs it

        kept = read_metrics(output, step)
        with storage.write_atomic(storage.join(output, METRICS)) as sink:
            sink.writelines(_line(line) for line in kept)
        self._metrics = _Lines(storage.join(output, METRICS))
        self._timing = _Lines(storage.join(output, TIMING))
        self._events: SummaryWriter | None = SummaryWriter(storage.join(output, EVENTS), purge_step=step + 1)
        self._wandb = _open_wandb(output, wandb_project) if wandb_project else None
        self.device_hours = sum(map(_seconds, read_timing(output))) / SECONDS_AN_HOUR  # of one device, tries before too

    def record(self, step: int, values: Mapping[str, float]) -> None:
        """Log exact values of a step (counted from 1: steps done)."""
        self._metrics.add(_line({"step": step, **values}))
        self._show(step, values)

    def record_timing(self, step: int, values: Timing) -> None:
        """Log values that differ from run to run: seconds and what follows from them."""
        self.device_hours += _seconds(values) / SECONDS_AN_HOUR
        self._timing.add(_line({"step": step, **values}))
        self._show(step, values)

    def sync(self) -> None:
        """Make what was logged survive a power cut; done before a checkpoint is published.

        Raises DiskError while the disk has no room for all lines.
        """
        self._metrics.sync()
        self._to_events(lambda events: events.flush())

    def close(self) -> None:
        """Close all logs."""
        self._metrics.close()
        self._timing.close()
        self._to_events(lambda events: events.close())
        if self._wandb is not None:
            self._wandb.finish()

    def _show(self, step: int, values: Mapping[str, Any]) -> None:
        def add(events: Any) -> None:
            for name, value in values.items():
                events.add_scalar(f"train/{name}", value, step)

        self._to_events(add)
        if self._wandb is not None:
            self._wandb.log(dict(values), step=step)

    def _to_events(self, write: Callable[[Any], None]) -> None:
        """Write to TensorBoard; once the disk refused its events, there are no more of them."""
        if self._events is None:
            return
        try:
            write(self._events)
        except OSError as error:
            self._events = None
            with suppress(OSError):
                print(f"TensorBoard's events end here: {error}", file=sys.stderr, flush=True)


class _Lines:
    """File to which lines are added at once; on a full disk they wait in memory for room."""

    def __init__(self, path: str) -> None:
        self._path, self._waiting = path, b""
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 — open as long as the run

    def add(self, line: bytes) -> None:
        self._waiting += line
        try:
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) :]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def sync(self) -> None:
        self.add(b"")
        if self._waiting:
            raise DiskError(f"{self._path}: cannot be written: no space left on the disk")
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self.add(b"")
        self._file.close()


def check_wandb(project: str | None) -> None:
    """Raise UsageError when Weights & Biases is asked for and not installed."""
    if project is not None and importlib.util.find_spec("wandb") is None:
        raise UsageError(
            f"wandb_project {project}: wandb is not installed here; `pip install wandb` and `wandb login`, or set "
            "WANDB_MODE=offline, or leave it out: TensorBoard events are always written"
        )


def _open_wandb(output: str, project: str) -> Any:
    """Return a run of Weights & Biases that goes on when this output's run does."""
    import wandb

    name = os.path.basename(os.path.abspath(output))
    return wandb.init(project=project, name=name, id=name, dir=output, resume="allow")


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"
