"""What is watched around the steps when it is asked for: torch's profiler, memory at an out of memory, and energy."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from corpus import storage
from train.energy import Energy
from train.job import LOGS
from train.loop.metrics import Timing
from train.loop.rank_state import RankState
from train.plan.gpus import known_gpu

HISTORY = 100_000  # allocations that a snapshot of memory goes back


def profiled(state: RankState, steps: Iterable[int]) -> Generator[int, None, None]:
    """Yield the steps, those of `profile_steps` under torch's profiler: `logs/trace-rank-N.json`, a Chrome trace."""
    window = state.job.config.profile_steps
    profiler: Any = None
    try:
        for step in steps:
            if window and profiler is None and window[0] <= step + 1 <= window[1]:
                profiler = torch.profiler.profile(activities=_activities(state.device))
                profiler.start()
            yield step
            if window and profiler is not None and step + 1 >= window[1]:
                _write_trace(state, profiler)
                window = profiler = None
    finally:
        if profiler is not None:
            _write_trace(state, profiler)


def _activities(device: torch.device) -> list[torch.profiler.ProfilerActivity]:
    kinds = [torch.profiler.ProfilerActivity.CPU]
    return [*kinds, torch.profiler.ProfilerActivity.CUDA] if device.type == "cuda" else kinds


def _write_trace(state: RankState, profiler: Any) -> None:
    profiler.stop()
    path = storage.join(state.job.output, LOGS, f"trace-rank-{state.rank}.json")
    profiler.export_chrome_trace(path)
    state.say(f"profiled: {path}; open it with https://ui.perfetto.dev")


@contextmanager
def memory_watched(state: RankState) -> Iterator[None]:
    """Write `logs/memory-rank-N.pickle` when a GPU runs out of memory, if `memory_snapshot` asks for it.

    https://docs.pytorch.org/memory_viz shows it: what each block holds and which line asked for it.
    """
    if not (state.job.config.memory_snapshot and state.device.type == "cuda"):
        yield
        return
    torch.cuda.memory._record_memory_history(max_entries=HISTORY)
    try:
        yield
    except torch.OutOfMemoryError as error:
        path = storage.join(state.job.output, LOGS, f"memory-rank-{state.rank}.pickle")
        torch.cuda.memory._dump_snapshot(path)
        error.add_note(f"what the memory held is in {path}; https://docs.pytorch.org/memory_viz shows it")
        raise


def energy_so_far(state: RankState) -> Energy | None:
    """Return the energy of all devices in all steps so far; None where nobody knows a device's power."""
    config = state.job.config
    watts = config.device_watts
    if watts is None and state.device.type == "cuda":
        device = torch.cuda.get_device_properties(state.device)
        found = known_gpu(device.name, device.total_memory / 1e9)
        watts = found.watts if found else None
    if watts is None or state.log is None:
        return None
    return Energy(
        devices=config.ranks, watts=watts, hours=state.log.device_hours, grams_per_kwh=config.grid_grams_per_kwh
    )


def energy_figures(energy: Energy | None) -> Timing:
    """Return energy as a line of timing.jsonl has it."""
    if energy is None:
        return {}
    return {"kwh": energy.kwh} if energy.kg_co2 is None else {"kwh": energy.kwh, "kg_co2": energy.kg_co2}
