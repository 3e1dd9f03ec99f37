"""The configuration of `assemble`."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from corpus.assemble.duplicate_settings import (
    against_id_setting,
    against_setting,
    against_text_setting,
    containment_setting,
    threshold_setting,
)
from corpus.config import GivenPath, StageConfig, Workers, runtime, setting
from corpus.licenses import Use
from corpus.text.headings import OPTIONAL
from corpus.text.section_kinds import SectionKind

REVISION = 8  # raise it when the same input gives other bytes, those in `_work` that an update reuses too

LanguageCode = Annotated[str, Field(pattern="^[a-z]{2}$")]


_YEARS = re.compile(r"(\d{4})?(-)?(\d{4})?")


class WhereConfig(StageConfig):
    """What a corpus is cut to: papers by metadata and by lists of ids; nothing is cut where nothing is given."""

    years: str | None = setting(
        None, "years of publication, 2010-2020, 2015, 2015- or -1999", group="where", metavar="A-B"
    )
    mesh: tuple[str, ...] = setting((), "papers with this MeSH heading", group="where", metavar="TERM")
    journal: tuple[str, ...] = setting((), "papers of this journal or book", group="where", metavar="NAME")
    publication_type: tuple[str, ...] = setting(
        (), "papers of this publication type of NLM's, as Review", group="where", metavar="TYPE"
    )
    jats_type: tuple[str, ...] = setting(
        (), "papers whose article is of this type of JATS, as research-article", group="where", metavar="TYPE"
    )
    ids: tuple[GivenPath, ...] = runtime(
        (), "only the papers of this list: PMIDs, PMC ids, DOIs, one a line", group="where", metavar="FILE"
    )
    exclude: tuple[GivenPath, ...] = runtime(
        (), "none of the papers of this list, in the same form", group="where", metavar="FILE"
    )

    @field_validator("years", mode="before")
    @classmethod
    def _is_a_range(cls, years: Any) -> Any:
        text = str(years) if isinstance(years, int) else years
        if isinstance(text, str):
            first, last = _bounds(text)
            if first > last:
                raise ValueError(f"{text} ends before it begins; turn it round")
        return text

    @property
    def year_bounds(self) -> tuple[int, int] | None:
        """Return the first and the last year asked for, None for any and for papers without one."""
        return None if self.years is None else _bounds(self.years)


def _bounds(text: str) -> tuple[int, int]:
    """Return the first and last year of a range; raises ValueError for what is none."""
    found = _YEARS.fullmatch(text.strip())
    if found is None or not (found[1] or found[3]) or (found[3] and not found[2]):
        raise ValueError(f"expected years as 2010-2020, 2015, 2015- or -1999, got {text!r}")
    first = int(found[1] or 0)
    return first, int(found[3] or (9999 if found[2] else first))


class AssembleConfig(StageConfig):
    """Records to deduplicated corpus shards."""

    where: WhereConfig = Field(
        default_factory=WhereConfig, description="what the corpus is cut to, before all other rules"
    )
    profile: Literal["clean", "pile"] = setting(
        "clean",
        "rendering profile; pile: The Pile's text and selection, of records extracted with `pile`",
        group="text",
    )
    floats: Literal["figures", "captions", "tables", "none"] = setting(
        "figures",
        "what the text holds of figures and tables: captions of figures, of tables too, with their rows, or nothing",
        group="text",
    )
    ethics: Literal["drop", "keep"] = setting("drop", "statements on ethics approval and consent", group="text")
    registration: Literal["drop", "keep"] = setting(
        "keep", "parts that only name a trial's registration or a level of evidence", group="text"
    )
    abbreviations: Literal["drop", "keep"] = setting("keep", "lists of abbreviations", group="text")
    without_sections: tuple[SectionKind, ...] = setting(
        (), "kinds of sections of the body that the text leaves out, by their headings", group="text"
    )
    pii: Literal["off", "report", "mask"] = setting(
        "off",
        "e-mail addresses, telephone numbers, hosts, national ids: list them, or put a word in their place",
        group="text",
    )
    threshold: float = threshold_setting()
    containment: float | None = containment_setting()
    duplicates: Literal["drop", "tag"] = setting(
        "drop",
        "leave them out, or keep all, abstracts whose full text is kept too, and add to the shards the columns "
        "duplicate (why it would be left out), cluster, cluster_size, cluster_rank, cluster_score",
        group="duplicates",
    )
    against: tuple[GivenPath, ...] = against_setting()
    against_text: str = against_text_setting()
    against_id: str | None = against_id_setting()
    validation: float = setting(0.005, "share of clusters held out for validation", group="output", ge=0, lt=1)
    test: float = setting(
        0.005, "share of clusters held out as test: packed, never trained on", group="output", ge=0, lt=1
    )
    seed: int = setting(0, "seed of the shard order and of the split", group="output", ge=0)
    min_words: int = setting(10, "documents with fewer words are dropped as too_short", group="filters", ge=0)
    notice_words: int = setting(
        400,
        "errata, retraction notices and the like with fewer words are dropped as notice",
        group="filters",
        ge=0,
    )
    languages: tuple[LanguageCode, ...] = setting(
        ("en",),
        "ISO 639-1 codes; a text clearly in another language is dropped as language; empty: any",
        group="filters",
        metavar="CODE",
    )
    retracted: Literal["drop", "tag", "keep"] = setting(
        "drop",
        "retracted papers: tag begins their text with the line [Retracted Publication]",
        group="filters",
    )
    retractions: tuple[GivenPath, ...] = runtime(
        (),
        "Crossref's Retraction Watch list (CSV): its papers are retracted too, by PMID or DOI",
        group="filters",
        metavar="FILE",
    )
    ocr: Literal["drop", "keep"] = setting("drop", "text that was read from page scans", group="filters")
    sub_articles: Literal["keep", "drop"] = setting(
        "keep", "reviews, responses, translations inside articles", group="filters"
    )
    license: Use = setting(
        "any",
        "keep what allows this use: commercial (CC0, BY, BY-SA, BY-ND), open (BY-NC too), any",
        group="filters",
    )
    article_version: Literal["newest", "newest-allowed"] = setting(
        "newest",
        "which version of an article counts: the newest, or the newest whose licence allows the use",
        group="filters",
    )
    evaluation: tuple[GivenPath, ...] = runtime(
        (),
        "evaluation sets as published (JSON, JSONL, CSV, Parquet, …), or folders of them, looked for in the corpus",
        group="evaluation",
        metavar="FILE|DIR",
    )
    contaminated: Literal["report", "remove"] = setting(
        "report",
        "documents that hold an evaluation item: only report them, or drop them as contaminated",
        group="evaluation",
    )
    evaluation_words: int | None = setting(
        None,
        "length of the n-grams of evaluation texts, in words; by GPT-3's rule (8 to 13) when not given",
        group="evaluation",
        ge=1,
    )
    evaluation_share: float = setting(
        0.5,
        "share of an evaluation text's n-grams from which a document holds it",
        group="evaluation",
        gt=0,
        le=1,
    )
    shard_mb: int = setting(128, "aimed-at text per shard, 10^6 bytes", group="output", ge=1)
    keep_documents: bool = runtime(
        False,
        "keep the documents of every records part beside the corpus, so that the first `--update` reuses them; on in "
        "`corpuscle run`",
        group="running",
    )
    workers: Workers = runtime(1, "local worker processes, at most: as many as the work pays for", group="running")

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide the bytes of the output; lists of ids and other corpora are inputs."""
        found = super().identity() | {"where": self.where.identity()}
        if self.duplicates == "drop":  # a setting that came later leaves no trace where it is off
            del found["duplicates"]
        return found

    @property
    def kept_sections(self) -> frozenset[str]:
        """Return the optional kinds of sections that a text keeps, for `corpus.text.render.render`."""
        return frozenset(kind for kind in OPTIONAL if getattr(self, kind) == "keep")

    @field_validator("test")
    @classmethod
    def _leaves_a_train_split(cls, test: float, info: ValidationInfo) -> float:
        validation = info.data.get("validation", 0.0)  # absent when it is wrong itself
        if validation + test >= 1:
            raise ValueError(f"{test:g} and the validation share {validation:g} leave nothing to train on; lower one")
        return test
