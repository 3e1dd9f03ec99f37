"""Configurations of `corpuscle fetch`: one for each of its two sources."""

import hashlib
import io
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from corpus import storage
from corpus.config import GivenPath, MachineShare, StageConfig, expanded, runtime, setting
from corpus.errors import UsageError
from corpus.ids import parse_number, parse_pmcid
from corpus.licenses import Use

PUBMED_SOURCE = "https://ftp.ncbi.nlm.nih.gov/pubmed"
PMC_SOURCE = "https://pmc-oa-opendata.s3.us-east-1.amazonaws.com"
# The address of another server than NCBI's, for mirrors and tests; the option wins over it.
PUBMED_VARIABLE, PMC_VARIABLE = "CORPUSCLE_PUBMED_SOURCE", "CORPUSCLE_PMC_SOURCE"
VERSIONS = 100_000  # what versions of an article stay below, so that id and version fit one number

ArticleKind = Literal["published", "manuscript", "ocr"]


def span_of(text: str) -> tuple[int, int]:
    """Return the first and last number of `A-B` or `A`; raises ValueError when they are the wrong way round."""
    first, _, last = text.partition("-")
    start, end = int(first), int(last or first)
    if start > end:
        raise ValueError(f"{text}: ends before it begins")
    return start, end


def _is_span(text: str) -> str:
    span_of(text)
    return text


def _ids_of(value: object) -> object:
    """Return the ids of a file when a value is a path; anything else is left to be checked."""
    return read_ids(expanded(value)) if isinstance(value, str) else value


def read_ids(path: str) -> tuple[str, ...]:
    """Return the ids of a file, one a line (`PMC123`, `123`, `PMC123.2`; `#` begins a comment), sorted.

    Raises UsageError for a line that is no PMC id.
    """
    ids = set()
    try:
        with storage.open_read(path) as source:
            for number, line in enumerate(io.TextIOWrapper(source, encoding="utf-8"), 1):
                text = line.partition("#")[0].strip()
                if text:
                    ids.add(_normal_id(text, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    if not ids:
        raise UsageError(f"{path}: holds no PMC id")
    return tuple(sorted(ids))


def _normal_id(text: str, where: str) -> str:
    head, dot, version = text.partition(".")
    pmcid, number = parse_pmcid(head), parse_number(version) if dot else 1
    if not pmcid or number is None or number >= VERSIONS:
        raise UsageError(f"{where}: {text[:60]!r} is no PMC id (PMC123, or PMC123.2 for one version)")
    return f"{pmcid}.{number}" if dot else str(pmcid)


PmcId = Annotated[str, Field(pattern=r"^[1-9]\d{0,9}(\.[1-9]\d{0,4})?$")]
Span = Annotated[str, Field(pattern=r"^\d{1,6}(-\d{1,6})?$"), AfterValidator(_is_span)]


class FetchConfig(StageConfig):
    """What both sources share; none of it changes a byte of the output."""

    source: str = runtime("", "address of the server's files")
    connections: int = runtime(128, "requests in flight, at most", group="server", ge=1, le=1024)
    proxy: str | None = runtime(None, "HTTP proxy; none is used unless it is named here", group="server", metavar="URL")
    verify: bool = runtime(
        False,
        "check the hashes of what is there, not the sizes alone; fetch what is damaged again",
        group="running",
    )
    spool: GivenPath | None = runtime(
        None, "local directory for unfinished work of a remote output", group="output", metavar="DIR"
    )


class FetchPubmedConfig(FetchConfig):
    """PubMed's baseline and update files."""

    source: str = runtime(
        PUBMED_SOURCE,
        "address above baseline/ and updatefiles/; no other server is contacted",
        group="server",
        metavar="URL",
        envvar=PUBMED_VARIABLE,
    )
    connections: int = runtime(4, "files at once, at most", group="server", ge=1, le=16)
    baseline: bool = setting(True, "the yearly baseline", group="filters")
    updates: bool = setting(True, "the update files after it", group="filters")
    files: Span | None = setting(None, "numbers of the files, as 1-10", group="filters", metavar="A-B")

    @model_validator(mode="after")
    def _something_is_asked_for(self) -> "FetchPubmedConfig":
        if not self.baseline and not self.updates:
            raise ValueError("neither the baseline nor the updates are asked for")
        return self


class FetchPmcConfig(FetchConfig):
    """Articles of PMC's bucket."""

    source: str = runtime(
        PMC_SOURCE,
        "address of the bucket; no other server is contacted",
        group="server",
        metavar="URL",
        envvar=PMC_VARIABLE,
    )
    inventory: str | None = runtime(
        None, "date of the S3 Inventory, as 2026-11-23; the newest without it", group="server", metavar="DATE"
    )
    license: Use = setting("any", "what the licence must allow: commercial, open (any CC), or any", group="filters")
    article_version: Literal["newest", "newest-allowed"] = setting(
        "newest",
        "which version of an article counts: the newest, or the newest whose licence allows the use",
        group="filters",
    )
    article_types: tuple[ArticleKind, ...] = setting(
        (), "kinds of articles; all of them when empty", group="filters", option="--article-type"
    )
    years: Span | None = setting(None, "years of publication, as 2015-2024", group="filters", metavar="A-B")
    ids: Annotated[tuple[PmcId, ...], BeforeValidator(_ids_of)] = setting(
        (),
        "PMC ids, as '123' or for one version '123.2', or a file with one a line; all when empty",
        group="filters",
    )
    limit: int | None = setting(None, "so many articles, drawn evenly over all ids", group="filters", ge=1)
    shard: MachineShare | None = setting(None, "part i/n of all ids, one a machine", group="filters", metavar="I/N")
    articles_per_shard: int = setting(4096, "articles in one file", group="output", ge=1, le=100_000)
    metadata_per_part: int = setting(8192, "JSON files in one Parquet file", group="output", ge=1, le=1_000_000)
    max_missing_rate: float = runtime(
        0.001, "share of articles that the source may fail to give", group="running", ge=0, le=1
    )

    def identity(self) -> dict[str, Any]:
        """Return what decides the bytes; a list of ids by its hash, for it can be long."""
        listed = hashlib.sha256("\n".join(self.ids).encode()).hexdigest()
        found = super().identity() | {"ids": f"{len(self.ids)} ids, {listed[:16]}" if self.ids else "all"}
        if self.article_version == "newest":  # a setting that came later leaves no trace where it is off
            del found["article_version"]
        return found


# Of NCBI's hosts, said when a mirror is begun.
TERMS: Final[dict[type[FetchConfig], str]] = {
    FetchPubmedConfig: (
        "courtesy of the U.S. National Library of Medicine; who passes PubMed on names NLM and keeps it current, or "
        "says that it is not; some abstracts are under copyright (https://pubmed.ncbi.nlm.nih.gov/download)"
    ),
    FetchPmcConfig: (
        "each article is under its own licence, which the store keeps with it; --license fetches what allows a use"
    ),
}
