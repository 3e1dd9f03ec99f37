"""What a rank's log says as it ends, told in one line with what helps."""

import subprocess
import sys
from pathlib import Path

import pytest

from corpus.errors import CorpuscleError, RetryError, UsageError
from corpus.stage import machine
from train.launch.rank_errors import rank_error


@pytest.mark.parametrize(
    ("said", "kind", "advice"),
    [
        ("ImportError: libtorch_cpu.so: failed to map segment from shared object", RetryError, "raise `ulimit -v`"),
        ("OSError: [Errno 12] Cannot allocate memory", RetryError, "no memory or process left"),
        ("RuntimeError: can't start new thread", RetryError, "no memory or process left"),
        ("RuntimeError: Resource temporarily unavailable", RetryError, "lower micro_batch or --ranks, or raise"),
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory", RetryError, "lower micro_batch"),
        ("MemoryError", RetryError, "Memory is short"),
    ],
)
def test_a_rank_without_memory_says_what_helps(
    said: str, kind: type[CorpuscleError], advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "LIMITS", (limit,))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/rank-0.log").write_text(f"Traceback (most recent call last):\n{said}\n")
    error = rank_error(str(tmp_path), [1], stopped=False)
    assert type(error) is kind
    assert str(error).startswith("rank 0 failed: ")
    assert said.partition("] ")[2] in str(error)
    assert advice in str(error)
    assert str(error).endswith("logs/rank-0.log")
    assert "allows" not in str(error)
    limit.write_text("3000000000\n")
    error = rank_error(str(tmp_path), [1], stopped=False)
    assert f". Here the container ({limit}) allows 3.00 GB; all of it is in" in str(error)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a shell's limit on addresses is none")
@pytest.mark.parametrize(
    ("last", "code", "advice"),
    [
        ("terminate called\n  what():  std::bad_alloc", -6, "std::bad_alloc. Memory is short: lower"),
        ("terminate called without an active exception", -6, "3.00 GB, which may be why: raise it"),
        ("RuntimeError: something odd", 1, "3.00 GB, which may be why: raise it"),
    ],
)
def test_the_limit_of_a_shell_is_named(last: str, code: int, advice: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/rank-0.log").write_text(f"{last}\n")
    script = (
        "import resource, sys; from train.launch.rank_errors import rank_error; "
        "resource.setrlimit(resource.RLIMIT_AS, (3_000_000_000,) * 2); "
        f"print(repr(rank_error(sys.argv[1], [{code}], stopped=False)))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("RetryError(")
    assert advice in done.stdout
    assert "Here `ulimit -v` allows 3.00 GB" in done.stdout


def test_a_gpu_without_memory_says_what_helps_not_what_its_makers_look_for(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    said = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 139 GiB in total"
    behind = "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n"
    (tmp_path / "logs/rank-0.log").write_text(f"Traceback (most recent call last):\n{said}\n{behind}")
    error = str(rank_error(str(tmp_path), [1], stopped=False))
    assert error.startswith(f"rank 0 failed: {said}. The GPU's memory is full: halve micro_batch, add")
    assert "--set activation_checkpointing=true" in error
    assert "--set zero_stage" in error


def test_an_abort_of_a_library_is_told_by_what_it_says_and_no_checkpoint_is_promised(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    said = "terminate called after throwing an instance of 'c10::Error'\n  what():  Index out of bounds\n"
    (tmp_path / "logs/rank-0.log").write_text(f"{said}frame #0: c10::Error::Error(c10::SourceLocation) + 0x9d\n\n")
    error = str(rank_error(str(tmp_path), [-6], stopped=False))
    assert "killed by SIGABRT; the last it said: what():  Index out of bounds; all of it is in" in error
    assert error.endswith("The same command again starts it: nothing was saved yet")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TORCH_LOGS", "nonsense", "ValueError: \nInvalid log settings: nonsense, must be a list of:\nall, aot"),
        ("GLOO_SOCKET_IFNAME", "none0", "RuntimeError: ifa != nullptr. Unable to find address for: none0"),
        ("PYTORCH_CUDA_ALLOC_CONF", "nonsense:3", "RuntimeError: Unrecognized CachingAllocator option: nonsense"),
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
    for code in (1, -6):  # by an exception that nobody caught in C++, too
        found = rank_error(str(tmp_path), [code], stopped=False)
        assert type(found) is UsageError
    error = str(rank_error(str(tmp_path), [1], stopped=False))
    assert " ".join(said.split("\nall")[0].split()) in error
    assert f". {name} is set to {value!r}: unset or correct it; all of it is in" in error
    assert "NCCL_DEBUG" not in error


@pytest.mark.parametrize(("name", "value"), [("NCCL_DEBUG", "WARN"), ("NCCL_IB_DISABLE", "1"), ("GLOO_LOG", " ")])
def test_a_common_word_in_an_error_is_no_proof_against_a_variable(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/rank-0.log").write_text("RuntimeError: NCCL WARN of rank 1: remote process exited\n")
    error = rank_error(str(tmp_path), [1], stopped=False)
    assert type(error) is CorpuscleError
    assert name not in str(error)
