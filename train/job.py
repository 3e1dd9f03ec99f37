"""Contract between launcher and ranks: the job file, the names of logs, and the errors that ranks leave.

The launcher checks everything that can be checked without torch and writes the job; the ranks only read it.
Under another launcher (`torchrun … -m train.loop.rank OUTPUT` on many nodes) the same file is read. All of `train`
may import this module, which imports none of the rooms.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from corpus import storage
from corpus.errors import CorpuscleError, CorruptError, DataError, DiskError, RetryError, UsageError
from corpus.stage.workspace import WORK
from corpus.storage.json_files import BadJsonError, build, check_inside, read_json
from train.config import AnyShape, ModelShape, TrainConfig, checked
from train.foreign import ForeignShape

JOB = "job.json"  # written by the launcher, read by every rank
INITIAL = f"{WORK}/initial.safetensors"  # weights of step 0 that a model was asked for; until the commit
RANKS_LOCK = ".ranks.lock"  # held by rank 0 for as long as it lives
LOGS = "logs"  # folder of what ranks, launcher and conversion print
LAUNCHER_LOG = f"{LOGS}/launcher.log"
UNIVERSAL_LOG = f"{LOGS}/universal.log"
CONSOLE_FD = "CORPUSCLE_CONSOLE"  # environment: file descriptor of the user's terminal, for rank 0

_ERRORS = {error.exit_code: error for error in (UsageError, DataError, CorruptError, DiskError, RetryError)}


class RolledBackError(RetryError):
    """Rows of a spike are left out from now on; ranks started again go on from a checkpoint before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Training job on given tokens; `resume` names the verified checkpoint to go on from."""

    config: TrainConfig  # the whole configuration; see [train.md](train.md)
    shape: AnyShape  # sizes of the model
    tokens: str  # directory of the `pack`
    tokens_fingerprint: str  # of that `pack`
    output: str  # directory of the run; not in the file
    resume: str | None  # name of the checkpoint to go on from
    resume_step: int  # its step; 0 without one [steps]
    universal: bool = False  # load the universal copy made of it, for other ranks or another ZeRO stage
    init: str | None = None  # fingerprint of the model that the run starts from; None: sizes of ours, random weights

    def recipe(self) -> dict[str, Any]:
        """Return the recipe that a checkpoint must share with this job, the model with its sizes from the tokens."""
        start = {} if self.init is None else {"init": self.init}
        return {**self.config.recipe(), "model": asdict(self.shape), **start}


@dataclass(frozen=True, kw_only=True, slots=True)
class _StatedJob:
    """The file of a job, its configuration yet unchecked."""

    config: Mapping[str, Any]
    shape: Mapping[str, Any]
    tokens: str
    tokens_fingerprint: str
    resume: str | None
    resume_step: int
    universal: bool = False
    init: str | None = None


def write_job(job: Job) -> None:
    """Write the job into its output directory."""
    content = {**asdict(job), "config": job.config.model_dump(mode="json")}
    del content["output"]
    with storage.write_atomic(storage.join(job.output, JOB)) as sink:
        sink.write(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def read_job(output: str) -> Job:
    """Read the job of an output directory; raises CorruptError for what is no job of this version."""
    path = storage.join(output, JOB)
    remedy = "give the command that started the run again, with --resume"
    content = read_json(path, remedy, paths=True)
    try:
        stated = build(_StatedJob, content, optional=("universal", "init"))
        if stated.resume is not None:
            check_inside(stated.resume)
        config, shape = checked(dict(stated.config), path), read_shape(stated.shape)
    except (BadJsonError, UsageError) as error:
        raise CorruptError(f"{path}: not a job of this version ({error}); {remedy}") from error
    fields = {name: getattr(stated, name) for name in content}
    return Job(**{**fields, "config": config, "shape": shape, "output": output})


def read_shape(content: Mapping[str, Any]) -> AnyShape:
    """Return the sizes of a model, ours or of transformers' library, from plain values; raises BadJsonError."""
    kind: type[AnyShape] = ForeignShape if "model_type" in content else ModelShape
    try:
        return build(kind, dict(content))
    except BadJsonError as error:
        raise BadJsonError(f"shape.{error}") from error


def initial_path(job: Job) -> str | None:
    """Return the file of the weights that a job starts from; None when they are random, or those of a checkpoint."""
    fresh = job.config.foreign is not None and job.config.foreign.weights == "fresh"
    return storage.join(job.output, INITIAL) if job.init is not None and job.resume is None and not fresh else None


def log_path(output: str, rank: int) -> str:
    """Return the path of the log of what a rank prints."""
    return storage.join(output, LOGS, f"rank-{rank}.log")


def error_path(output: str, rank: int) -> str:
    """Return the path of the error that ended a rank."""
    return storage.join(output, WORK, f"error-{rank}.json")


def write_error(output: str, rank: int, error: CorpuscleError) -> None:
    """Write the error that ends a rank, for the launcher to raise."""
    content = {"exit_code": error.exit_code, "message": str(error)}
    if isinstance(error, RolledBackError):
        content["rolled_back"] = True
    with storage.write_atomic(error_path(output, rank)) as sink:
        sink.write(json.dumps(content).encode())


def read_error(output: str, rank: int) -> CorpuscleError | None:
    """Return the error that ended a rank; None when it left none."""
    path = error_path(output, rank)
    if not storage.exists(path):
        return None
    content = read_json(path, "see the rank's log", paths=True)
    if not isinstance(content, dict) or type(content.get("exit_code")) is not int:
        raise CorruptError(f"{path}: not the error of a rank; see {log_path(output, rank)}")
    kind = RolledBackError if content.get("rolled_back") else _ERRORS.get(content["exit_code"], CorpuscleError)
    return kind(str(content.get("message")))
