"""A training job: what the launcher hands to every rank, as one JSON file in the output directory.

The launcher checks everything that can be checked without torch and writes the job; the ranks only read it.
Under another launcher (`torchrun … -m train.loop.rank OUTPUT` on many nodes) the same file is read.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from corpus import storage
from train.config import ModelShape, TrainConfig

JOB = "job.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One run of training on given tokens; `resume` names the verified checkpoint to go on from."""

    config: TrainConfig  # the whole configuration; see [train.md](train.md)
    shape: ModelShape  # sizes of the model
    tokens: str  # directory of the `pack`
    tokens_fingerprint: str  # of that `pack`
    output: str  # directory of the run; not in the file
    resume: str | None  # name of the checkpoint to go on from
    resume_step: int  # its step; 0 without one [steps]
    universal: bool = False  # load the universal copy made of it, for other ranks or another ZeRO stage

    @property
    def tokens_per_step(self) -> int:
        """Tokens read in one step."""
        return self.config.batch_rows * self.shape.seq_length

    def recipe(self) -> dict[str, Any]:
        """Return what a checkpoint must share with this job, the model with its sizes from the tokens."""
        return {**self.config.recipe(), "model": asdict(self.shape)}


def write_job(job: Job) -> None:
    """Write the job into its output directory."""
    content = {**asdict(job), "config": job.config.model_dump(mode="json")}
    del content["output"]
    with storage.write_atomic(storage.join(job.output, JOB)) as sink:
        sink.write(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def read_job(output: str) -> Job:
    """Read the job of an output directory."""
    with storage.open_read(storage.join(output, JOB)) as source:
        content = json.loads(source.read())
    content["config"] = TrainConfig.model_validate(content["config"])
    content["shape"] = ModelShape(**content["shape"])
    return Job(**content, output=output)
