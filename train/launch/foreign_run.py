"""A run of a model of transformers' library, before torch is needed: its sizes, and what it is an input of."""

import os

from corpus import storage
from corpus.stage.manifest import Input
from tokenizer.token_rows import TokenRows
from train.config import AnyShape, TrainConfig
from train.export.model_input import model_input
from train.foreign import ForeignConfig
from train.job import JOB, Job, read_job

INIT = "init"  # name of the input that the weights of step 0 are of


def run_shape(config: TrainConfig, rows: TokenRows, output: str) -> AnyShape:
    """Return the sizes of the model on these tokens; raises UsageError, by name, for one that cannot be trained so.

    A directory that is gone has left them in the run's own job.
    """
    if config.model is not None:
        return config.model.shape(seq_length=rows.seq_length, vocab_size=rows.vocab_size)
    assert config.foreign is not None, "a configuration has a model"
    job = earlier_job(config, output)
    if job is not None and not os.path.isdir(config.foreign.path) and job.tokens_fingerprint == rows.fingerprint:
        return job.shape
    from train.model.foreign_shape import ForeignUse, find_shape  # torch and transformers: 5 s

    return find_shape(
        config.foreign,
        seq_length=rows.seq_length,
        vocab_size=rows.vocab_size,
        end_of_text=rows.end_of_text,
        resize=config.resize_vocabulary,
        use=ForeignUse(
            document_mask=config.document_mask,
            reset_positions=config.reset_positions,
            activation_checkpointing=config.activation_checkpointing,
        ),
    )


def initial_input(config: TrainConfig, output: str) -> Input | None:
    """Return the model that the run starts from; of one that is gone, what the run's own job says of it.

    Of a model of transformers' library whose weights are drawn anew it is the configuration alone.
    """
    source = config.foreign.path if config.foreign is not None else config.init
    if source is None:
        return None
    job = earlier_job(config, output)
    if not os.path.isdir(source) and job is not None and job.init is not None:
        return Input(name=INIT, fingerprint=job.init)
    if config.foreign is not None and config.foreign.weights == "fresh":
        return Input(name=INIT, fingerprint=storage.sha256_file(storage.join(source, "config.json")))
    return Input(name=INIT, fingerprint=model_input(source).fingerprint)


def earlier_job(config: TrainConfig, output: str) -> Job | None:
    """Return the job of a run that started from the same model, if one is in `output`."""
    if not storage.exists(storage.join(output, JOB)):
        return None
    job = read_job(output)
    same: tuple[str | None, ForeignConfig | None] = (config.init, config.foreign)
    return job if (job.config.init, job.config.foreign) == same else None
