"""Errors of ranks that have ended: which one failed first, what its log says, and what helps against it."""

import os
import re
import signal

from corpus.errors import CorpuscleError, DiskError, RetryError, UsageError
from corpus.stage.machine import address_limit, container_limit
from corpus.storage.faults import store_fault, system_fault
from train.checkpoint import store
from train.job import RolledBackError, log_path, read_error

_NAMED_ERROR = re.compile(r"[\w.]*(Error|Exception)\b:( |$)|what\(\): ")  # the latter: of C++, as it aborts
_OF_LIBRARIES = ("GLOO_", "NCCL_", "PYTORCH_", "TORCH_", "TORCHINDUCTOR_")  # variables that they read as they begin
_LEVELS = ("INFO", "WARN", "WARNING", "ERROR", "DEBUG", "DETAIL", "TRACE", "VERSION", "NONE", "TRUE", "FALSE")
_OF_MEMORY = re.compile(r"[Mm]emory|bad_alloc|failed to map segment|can't start new thread|temporarily unavailable")
# What libraries say of it without the system's number; the last is of a thread that cannot be started.
_NO_MEMORY = ("bad_alloc", "can't allocate memory", "Cannot allocate memory", "Resource temporarily unavailable")


def rank_error(output: str, codes: list[int], *, stopped: bool, log: str | None = None) -> CorpuscleError:
    """Return the error of the rank that failed first by its own doing; `log` is all ranks' when they share one."""
    for rank in range(len(codes)):
        if (error := read_error(output, rank)) is not None:
            if stopped and isinstance(error, RolledBackError):
                return RetryError(f"{error}; stopped by a signal: the same command with --resume goes on")
            return error
    if stopped or RetryError.exit_code in codes:
        return RetryError(f"{output}: stopped by a signal; the same command {_how_on(output)}")
    if crashed := [rank for rank, code in enumerate(codes) if code > 0]:
        # The others fail because it is gone: the log that ends with another error than a lost connection tells.
        logs = {rank: log or log_path(output, rank) for rank in crashed}
        tails = {rank: last_line(path) for rank, path in logs.items()}
        of_its_own = [rank for rank in crashed if "onnection" not in tails[rank]]
        if not of_its_own and any(code < 0 for code in codes):
            return _killed(output, codes, log)  # those that crashed only lost the connection to it
        failed = (of_its_own or crashed)[0]
        if codes[failed] == DiskError.exit_code:
            said = f"the disk is full, and what rank {failed} says of it does not fit either"
            return DiskError(f"{output}: {said}; {store.what_is_left(output)}")
        said, rest = f"rank {failed} failed", f"; all of it is in {logs[failed]}"
        if fault := store_fault(tails[failed]) or system_fault(tails[failed]):
            return type(fault)(f"{said}: {fault}{_limit_note(tails[failed])}{rest}")
        kind, advice = _remedy(tails[failed])
        return kind(f"{said}: {tails[failed]}{advice}{rest}")
    return _killed(output, codes, log)


def _how_on(output: str) -> str:
    return "with --resume goes on" if store.read_list(output) else "again starts it: nothing was saved yet"


def _killed(output: str, codes: list[int], log: str | None) -> CorpuscleError:
    rank, code = next((rank, code) for rank, code in enumerate(codes) if code < 0)
    said = f"rank {rank} was killed by {signal.Signals(-code).name}"
    if -code == signal.SIGKILL:
        advice = "(often: out of memory); lower micro_batch or free memory: then the same command"
        return RetryError(f"{said} {advice} {_how_on(output)}{_limit_note('memory')}")
    path = log or log_path(output, rank)
    if not os.path.exists(path):
        return RetryError(f"{said}. The same command {_how_on(output)}")
    kind, advice = _remedy(last_line(path))
    said += f"; the last it said: {last_line(path)}{advice}; all of it is in {path}"
    return kind(said) if advice else RetryError(f"{said}. The same command {_how_on(output)}")


def _remedy(said: str) -> tuple[type[CorpuscleError], str]:
    """Return what kind of error a library's is, and what helps against it, if anything is known to, behind a stop."""
    if "OutOfMemoryError" in said or "out of memory" in said:
        return UsageError, (
            ". The GPU's memory is full: halve micro_batch, add --set activation_checkpointing=true, or a higher "
            "--set zero_stage (`corpuscle plan` says what fits)"
        )
    if said == "MemoryError" or any(words in said for words in _NO_MEMORY):
        return RetryError, f". Memory is short: lower micro_batch or --ranks, or raise `ulimit -v`{_limit_note(said)}"
    named = sorted(name for name in os.environ if name.startswith(_OF_LIBRARIES) and _speaks_of(said, name))
    advice = "".join(f". {name} is set to {os.environ[name]!r}: unset or correct it" for name in named)
    if advice:
        return UsageError, advice
    if (limit := address_limit()) is not None:  # below which libraries fail in words of all kinds
        return RetryError, f". Here {limit.by} allows {limit.bytes / 1e9:,.2f} GB, which may be why: raise it"
    return CorpuscleError, ""


def _speaks_of(said: str, name: str) -> bool:
    """Say whether an error is about a variable: it has its name, or a word of its value that no other text would have.

    The parsers of torch's allocators quote a piece of the value at most.
    """
    value = os.environ[name].strip()
    if value and (name in said or (name.endswith("ALLOC_CONF") and "llocator" in said)):
        return True
    words = [value, *re.split(r"[,:;= ]", value)]
    telling = [word for word in words if len(word) > 3 and not word.isnumeric() and word.upper() not in _LEVELS]
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said) for word in telling)


def _limit_note(said: str) -> str:
    """Return which limits are set on memory here, behind a full stop, where an error is about memory."""
    limits = [limit for limit in (address_limit(), container_limit()) if limit and _OF_MEMORY.search(said)]
    return "".join(f". Here {limit.by} allows {limit.bytes / 1e9:,.2f} GB" for limit in limits)


def last_line(path: str) -> str:
    """Return the line of a log that says what went wrong: the last that names an error, else the last not empty.

    Behind an error of CUDA come lines of advice to its developers.
    """
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = [line.strip() for line in log if line.strip()]
    named = [at for at, line in enumerate(lines) if _NAMED_ERROR.match(line)]
    if named:  # what it says may begin on the next line
        return " ".join(lines[named[-1] : named[-1] + 1 + lines[named[-1]].endswith(":")])[:500]
    return (lines or ["nothing was printed"])[-1][:500]
