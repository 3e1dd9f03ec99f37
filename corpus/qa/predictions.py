"""Predictions: what a model said to each question, one row an item and seed, as `predictions.parquet` holds it.

All scores of all reports are computed from these rows and nothing else: they have the question's id, so that two runs
can be paired, and the scores, so that what was not foreseen can be computed later.
"""

from collections.abc import Sequence

from msgspec import Struct

from corpus import storage
from corpus.errors import UsageError
from corpus.storage import parquet
from corpus.storage.schema import from_batch, to_table

PREDICTIONS = "predictions.parquet"


class Prediction(Struct, frozen=True, kw_only=True, gc=False):
    """One answer of one model to one question; (task, id, seed, format) names it."""

    id: str  # of the question
    task: str  # medqa, pubmedqa, …
    split: str  # of the question
    subject: str = ""  # of the question
    gold: int | None  # index of the right option; None when the set hides it
    choice: int | None  # index of the option chosen; None for a refusal or an answer that named none
    scores: tuple[float, ...] = ()  # one an option: logits, log-likelihoods; () where a model gives none
    probabilities: tuple[float, ...] = ()  # one an option, they sum to 1; () where a model gives none
    seed: int = 0  # of the run
    format: str = ""  # paper, released, letters, …
    truncated_tokens: int = 0  # cut from the question to fit the model [tokens]
    contaminated: bool | None = None  # whether the model's corpus holds the item; None when nobody looked
    file: str = ""  # of the question, as given


def write_predictions(predictions: Sequence[Prediction], path: str) -> None:
    """Write predictions to a Parquet file, whole or not at all, in the order given."""
    parquet.write_table(path, to_table(predictions, Prediction))


def read_predictions(path: str) -> list[Prediction]:
    """Return the predictions of a file, or of `predictions.parquet` in a directory; raises UsageError for none."""
    file = path if path.endswith(".parquet") else storage.join(path, PREDICTIONS)
    if not storage.exists(file):
        raise UsageError(f"{file}: no predictions are here; run `corpuscle qa evaluate` into {path} first")
    return from_batch(parquet.read_table(file), Prediction)
