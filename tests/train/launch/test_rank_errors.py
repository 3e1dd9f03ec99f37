"""What a rank's log says as it ends, told in one line with what helps."""

from pathlib import Path

import pytest

from corpus.errors import CorpuscleError, RetryError
from train.launch import processes


@pytest.mark.parametrize(
    ("said", "kind", "advice"),
    [
        ("ImportError: libtorch_cpu.so: failed to map segment from shared object", RetryError, "raise `ulimit -v`"),
        ("OSError: [Errno 12] Cannot allocate memory", RetryError, "no memory or process left"),
        ("RuntimeError: can't start new thread", RetryError, "no memory or process left"),
        ("RuntimeError: Resource temporarily unavailable", CorpuscleError, "lower micro_batch or --ranks, or raise"),
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory", CorpuscleError, "lower micro_batch"),
        ("MemoryError", CorpuscleError, "Memory is short"),
    ],
)
def test_a_rank_without_memory_says_what_helps(
    said: str, kind: type[CorpuscleError], advice: str, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/rank-0.log").write_text(f"Traceback (most recent call last):\n{said}\n")
    error = processes.rank_error(str(tmp_path), [1], stopped=False)
    assert type(error) is kind
    assert str(error).startswith("rank 0 failed: ")
    assert said.partition("] ")[2] in str(error)
    assert advice in str(error)
    assert str(error).endswith("logs/rank-0.log")


def test_a_gpu_without_memory_says_what_helps_not_what_its_makers_look_for(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    said = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 139 GiB in total"
    behind = "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n"
    (tmp_path / "logs/rank-0.log").write_text(f"Traceback (most recent call last):\n{said}\n{behind}")
    error = str(processes.rank_error(str(tmp_path), [1], stopped=False))
    assert error.startswith(f"rank 0 failed: {said}. The GPU's memory is full: halve micro_batch, add")
    assert "--set activation_checkpointing=true" in error
    assert "--set zero_stage" in error


def test_an_abort_of_a_library_is_told_by_what_it_says_and_no_checkpoint_is_promised(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    said = "terminate called after throwing an instance of 'c10::Error'\n  what():  Index out of bounds\n"
    (tmp_path / "logs/rank-0.log").write_text(f"{said}frame #0: c10::Error::Error(c10::SourceLocation) + 0x9d\n\n")
    error = str(processes.rank_error(str(tmp_path), [-6], stopped=False))
    assert "killed by SIGABRT; the last it said: what():  Index out of bounds; all of it is in" in error
    assert error.endswith("The same command again starts it: nothing was saved yet")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TORCH_LOGS", "nonsense", "ValueError: \nInvalid log settings: nonsense, must be a list of:\nall, aot"),
        ("GLOO_SOCKET_IFNAME", "none0", "RuntimeError: ifa != nullptr. Unable to find address for: none0"),
        ("TORCH_DISTRIBUTED_DEBUG", "ABC", "ValueError: The value of TORCH_DISTRIBUTED_DEBUG must be OFF or INFO."),
    ],
)
def test_a_variable_that_a_library_refuses_is_named(
    name: str, value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("NCCL_DEBUG", "WARN")  # no matter
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/rank-0.log").write_text(f"Traceback\n\n{said}\n")
    error = str(processes.rank_error(str(tmp_path), [1], stopped=False))
    assert " ".join(said.split("\nall")[0].split()) in error
    assert f". {name} is set to {value!r}: unset or correct it; all of it is in" in error
    assert "NCCL_DEBUG" not in error
