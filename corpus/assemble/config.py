"""The configuration of `assemble`."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from corpus.config import StageConfig, Workers, runtime
from corpus.licenses import Use

REVISION = 1  # raise it when the same input gives other bytes, those in `_work` that an update reuses too

LanguageCode = Annotated[str, Field(pattern="^[a-z]{2}$")]


class AssembleConfig(StageConfig):
    """Records to deduplicated corpus shards."""

    profile: Literal["clean", "pile"] = Field(
        "clean", description="rendering profile; pile: The Pile's text and selection, of records extracted with `pile`"
    )
    floats: Literal["captions", "tables", "none"] = Field(
        "captions", description="what the text holds of figures and tables: captions, captions and rows, or nothing"
    )
    threshold: float = Field(
        0.8, gt=0, le=1, description="Jaccard similarity of word 5-shingles that makes a duplicate"
    )
    containment: float | None = Field(
        None,
        gt=0,
        le=1,
        description="also a duplicate: this share of the smaller text's word 5-shingles stands in the larger, of pairs "
        "that the bands propose; off when not given",
    )
    validation: float = Field(0.005, ge=0, lt=1, description="share of clusters held out for validation")
    test: float = Field(0.005, ge=0, lt=1, description="share of clusters held out as test: packed, never trained on")
    seed: int = Field(0, ge=0, description="seed of the shard order and of the split")
    min_words: int = Field(10, ge=0, description="documents with fewer words are dropped as too_short")
    notice_words: int = Field(
        400, ge=0, description="errata, retraction notices and the like with fewer words are dropped as notice"
    )
    languages: tuple[LanguageCode, ...] = Field(
        ("en",), description="ISO 639-1 codes; a text clearly in another language is dropped as language; empty: any"
    )
    retracted: Literal["drop", "tag", "keep"] = Field(
        "drop", description="retracted papers: tag begins their text with the line [Retracted Publication]"
    )
    ocr: Literal["drop", "keep"] = Field("drop", description="text that was read from page scans")
    sub_articles: Literal["keep", "drop"] = Field(
        "keep", description="reviews, responses, translations inside articles"
    )
    license: Use = Field(
        "any", description="keep what allows this use: commercial (CC0, BY, BY-SA, BY-ND), open (BY-NC too), any"
    )
    evaluation: tuple[str, ...] = runtime(
        (), "evaluation sets (JSONL, or JSON of BioASQ or PubMedQA), looked for in the corpus"
    )
    contaminated: Literal["report", "remove"] = Field(
        "report", description="documents that hold an evaluation item: only report them, or drop them as contaminated"
    )
    evaluation_words: int | None = Field(
        None, ge=1, description="n of the n-grams of evaluation texts; by GPT-3's rule (8 to 13) when not given"
    )
    evaluation_share: float = Field(
        0.5, gt=0, le=1, description="share of an evaluation text's n-grams from which a document holds it"
    )
    shard_mb: int = Field(128, ge=1, description="aimed-at text per shard, 10^6 bytes")
    workers: Workers = runtime(1, "local worker processes")

    @field_validator("test")
    @classmethod
    def _leaves_a_train_split(cls, test: float, info: ValidationInfo) -> float:
        validation = info.data.get("validation", 0.0)  # absent when it is wrong itself
        if validation + test >= 1:
            raise ValueError(f"{test:g} and the validation share {validation:g} leave nothing to train on; lower one")
        return test
