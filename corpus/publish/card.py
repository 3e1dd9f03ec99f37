"""Card of a published corpus: README.md with the YAML that the Hub reads, every number of it from a manifest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from corpus.publish.arrow_kinds import element_kind, fields_of
from corpus.publish.config import NLM, SUBSET_NAMES, PublishConfig
from corpus.publish.overview import Overview
from corpus.publish.sources import CorpusSources
from corpus.stage.license_table import total_of
from corpus.stage.manifest import SPLITS, Books

CARD = "README.md"
_SIZES: tuple[tuple[int, str], ...] = (
    *((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M")),
    *((10**7, "1M<n<10M"), (10**8, "10M<n<100M"), (10**9, "100M<n<1B")),
)
_DTYPES = {"bool": "bool", "double": "float64", "float": "float32", "int64": "int64", "int32": "int32"}
COLUMN_MEANINGS = {
    "doc_id": "pmid:… for a citation, pmc:PMC….version for an article, #part for a review or reply in it",
    "source": "pubmed or pmc",
    "kind": "citation, book, article, sub_article",
    "text": "what a model reads",
    "license": "SPDX name, or PMC's word where SPDX has none; empty when not stated",
    "year": "of publication",
    "journal": "title of the journal or book",
    "pmid": "PubMed's id of the paper",
    "pmcid": "PubMed Central's id of the paper, without the letters PMC",
    "doi": "of the paper, lower case",
    "mesh": "MeSH headings of a citation",
    "publication_types": "of a citation, by PubMed",
    "jats_type": "of an article, by its publisher",
    "language": "of the text, ISO 639-1; empty where it says too little to decide",
    "sections": "of a text with a body: kind, title, and where it stands in the text, in characters",
    "retracted": "by PubMed, the bucket or the article itself",
}


def corpus_card(sources: CorpusSources, overview: Overview, config: PublishConfig) -> str:
    """Return the text of README.md."""
    front = yaml.safe_dump(card_header(sources, overview, config), sort_keys=False, allow_unicode=True)
    books = (("extract", sources.extract.books), ("assemble", sources.assemble.books))
    rules = ((name, str(value)) for name, value in sorted(sources.assemble.config.items()))
    sections = [
        f"# {overview.title}",
        f"{overview.rows:,} texts of biomedical papers ({overview.text_bytes:,} bytes), deduplicated and split by "
        f"corpuscle {overview.version}. {sources.age}",
        f"> {NLM}",
        _usage(overview, config),
        _section("Splits", ("subset", "split", "texts", "files"), _split_rows(overview)),
        _section("Licences", ("source", "licence", "texts", "bytes of text"), license_rows(overview.licenses))
        + "\n\nEach text keeps its own licence, in the column `license`; `attribution.parquet` names authors, title "
        "and address of each, and where its licence is stated. Of abstracts PubMed states no licence: some are under "
        "copyright. `NOTICE` says what to do when texts are passed on.",
        _section("From records to texts", ("stage", "what", "records"), funnel_rows(books)),
        _section("Rules", ("setting", "value"), rules),
        _section("Columns", ("column", "type", "meaning"), _column_rows(overview)),
        "## Papers\n\n`DATASHEET.md` (Datasheets for Datasets), `TRAINING_CONTENT.md` (the EU's summary of training "
        "content), `croissant.json` (Croissant 1.1, with RAI and provenance), `SHA256SUMS`.",
        _section("Provenance", ("stage", "revision", "fingerprint"), _provenance_rows(sources)),
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def card_header(sources: CorpusSources, overview: Overview, config: PublishConfig) -> dict[str, Any]:
    """Return what the Hub reads: licence, sizes, subsets with their files, features and splits."""
    languages = list(sources.assemble.config.get("languages") or ()) or ["mul"]
    configs, infos = [], []
    for use, subset in overview.subsets.items():
        files = [{"split": split, "path": paths} for split, paths in subset.files.items()]
        configs.append(
            {"config_name": SUBSET_NAMES[use], "data_files": files, **({"default": True} if use == "any" else {})}
        )
        splits = [
            {"name": split, "num_bytes": subset.arrow_bytes[split], "num_examples": count}
            for split, count in subset.rows.items()
        ]
        infos.append(
            {
                "config_name": SUBSET_NAMES[use],
                "features": [_feature(name, kind) for name, kind in overview.columns],
                "splits": splits,
                "download_size": subset.file_bytes,
                "dataset_size": sum(subset.arrow_bytes.values()),
            }
        )
    if configs and not any(one.get("default") for one in configs):
        configs[0]["default"] = True
    return {
        "pretty_name": overview.title,
        "language": languages,
        "license": "other",
        "license_name": "per-document",
        "license_link": "NOTICE",
        "size_categories": [size_category(overview.rows)],
        "source_datasets": ["original"],
        "annotations_creators": ["no-annotation"],
        "task_categories": ["text-generation"],
        "tags": ["biology", "medical", "pubmed", "pubmed-central", "pretraining", "corpuscle"],
        "configs": configs,
        **({"dataset_info": infos} if config.format == "hf" else {}),
    }


def size_category(rows: int) -> str:
    """Return the Hub's word for a number of rows."""
    return next((name for limit, name in _SIZES if rows < limit), "n>1B")


def license_rows(licenses: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each source and licence, the most frequent first, and one for all."""
    for source, found in licenses.items():
        for name, counts in sorted(found.items(), key=lambda item: (-item[1]["documents"], item[0])):
            yield source, name, f"{counts['documents']:,}", f"{counts['text_bytes']:,}"
    yield "all", "", f"{total_of(licenses, 'documents'):,}", f"{total_of(licenses, 'text_bytes'):,}"


def funnel_rows(books: Iterable[tuple[str, Books]]) -> Iterator[tuple[str, ...]]:
    """Yield what each stage read, dropped by reason and kept."""
    for stage, found in books:
        yield stage, "read", f"{found.read:,}"
        dropped = sorted(found.dropped.items(), key=lambda item: (-item[1], item[0]))
        yield from ((stage, f"dropped: {reason}", f"{count:,}") for reason, count in dropped if count)
        yield stage, "kept", f"{found.kept:,}"


def _usage(overview: Overview, config: PublishConfig) -> str:
    names = ", ".join(f"`{SUBSET_NAMES[use]}`" for use in overview.subsets)
    said = f"## Use\n\nSubsets: {names}. A subset is a choice of whole files, so no text is stored twice; `open` is "
    said += "Creative Commons of any kind and public domain, `commercial` of these what allows commercial use."
    if config.format == "hf":
        return said + '\n\n```python\nfrom datasets import load_dataset\n\ntexts = load_dataset("DIR", "all")\n```'
    return said + "\n\n```console\n$ zstd -dc data/train/*.jsonl.zst | head -1\n```"


def _split_rows(overview: Overview) -> Iterator[tuple[str, ...]]:
    for use, subset in overview.subsets.items():
        for split in SPLITS:
            if split in subset.rows:
                yield SUBSET_NAMES[use], split, f"{subset.rows[split]:,}", str(len(subset.files[split]))


def _column_rows(overview: Overview) -> Iterator[tuple[str, ...]]:
    yield from ((name, kind, COLUMN_MEANINGS.get(name, "")) for name, kind in overview.columns)


def _provenance_rows(sources: CorpusSources) -> Iterator[tuple[str, ...]]:
    for found in (sources.extract, sources.assemble):
        yield found.stage, str(found.revision), f"`{found.fingerprint}`"


def _feature(name: str, kind: str) -> dict[str, Any]:
    """Return a column as the Hub's YAML names it."""
    inner = element_kind(kind)
    if inner is not None and (fields := fields_of(inner)):
        return {"name": name, "list": [_feature(*field) for field in fields]}
    if inner is not None:
        return {"name": name, "sequence": _DTYPES.get(inner, "string")}
    return {"name": name, "dtype": _DTYPES.get(kind, "string")}


def _section(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"## {title}\n\n{table(heads, rows)}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown; a bar in a cell is escaped."""
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(f"| {line} |" for line in lines)
