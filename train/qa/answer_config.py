"""Configuration of `qa answer`: how a fine-tuned model writes, and which questions of a set it answers. No torch here.

The defaults of beams, of what may not repeat, of the length and of its penalty are those of BioMedLM's published
script for long answers [code].
"""

from typing import Any, Literal, Self

from pydantic import model_validator

from corpus.config import StageConfig, runtime, setting


class AnswerConfig(StageConfig):
    """Configuration of `qa answer`: decoding, and of a set its task, split and number of questions."""

    beams: int = setting(5, "beams of the search; 1: the likeliest token", group="text", ge=1)
    no_repeat_ngram: int = setting(6, "length in tokens of what is never written twice; 0: off", group="text", ge=0)
    length_penalty: float = setting(
        -0.5, "exponent by which beams are divided by their length: below 0 favours the short", group="text"
    )
    max_tokens: int = setting(400, "tokens of an answer, at most", group="text", ge=1)
    top_p: float | None = setting(
        None, "draw from the likeliest tokens that make up this share, instead of the beams", group="text", gt=0, le=1
    )
    temperature: float = setting(1.0, "of what is drawn", group="text", gt=0)
    seed: int = setting(0, "of what is drawn", group="text", ge=0)
    task: str = setting(
        "", "of a set: task whose questions are answered; default: the one fine-tuned on", group="input"
    )
    split: Literal["test", "dev", "train"] = setting("test", "of a set: split that is answered", group="input")
    limit: int | None = setting(None, "of a set: answer the first questions only", group="filters", ge=1)
    batch: int = setting(1, "questions that are answered at once", group="running", ge=1)
    evidence: str = runtime(
        "", "of a set: assembled corpus whose passages for the question may hold an answer's numbers too",
        group="evaluation", metavar="DIR",
    )  # fmt: skip
    documents: int = setting(
        8, "passages of --evidence for a question, each of another document", group="evaluation", ge=1
    )
    run: str = runtime("", "run of a sweep that answers; default: the first", group="input")

    @model_validator(mode="after")
    def _draws_or_searches(self) -> Self:
        if self.top_p is None and self.temperature != 1.0:
            raise ValueError("temperature is for what is drawn; give top_p too")
        return self

    def generation(self) -> dict[str, Any]:
        """Return the settings as transformers' `generate` names them."""
        shared = {"no_repeat_ngram_size": self.no_repeat_ngram, "max_new_tokens": self.max_tokens}
        if self.top_p is not None:
            drawn = {"do_sample": True, "num_beams": 1, "top_p": self.top_p, "top_k": 0}
            return {**shared, **drawn, "temperature": self.temperature}
        return {**shared, "do_sample": False, "num_beams": self.beams} | (
            {"length_penalty": self.length_penalty} if self.beams > 1 else {}
        )
