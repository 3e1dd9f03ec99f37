"""Evaluation sets as JSONL: the texts a model must not have read, and the papers that they were made from.

A line is an object of any shape: of BioASQ, PubMedQA, MedQA, MMLU or of your own. Every string in it is a text, unless
its key says that it is an id (`pmid`, `pubid`, `pmcid`, `doi`, `id` …) or it is the address of a paper, as in BioASQ's
`documents`. JSON with the one key `questions` (BioASQ's own form) or of ids and objects (PubMedQA's) is read too.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from corpus import storage
from corpus.errors import UsageError
from corpus.ncbi.ids import normalize_doi, parse_number, parse_pmcid

_PMID_KEYS: Final = frozenset(["pmid", "pubid", "pubmed_id", "pmids", "pubmed"])
_PMCID_KEYS: Final = frozenset(["pmcid", "pmc", "pmc_id"])
_DOI_KEYS: Final = frozenset(["doi", "dois"])
_ITEM_KEYS: Final = ("id", "qid", "question_id", "pubid", "pmid")
_NO_TEXT_KEYS: Final = frozenset(["id", "qid", "question_id", "type", "year", "meshes", "concepts", "triples", "split"])
_PUBMED_URL: Final = re.compile(
    r"https?://(?:www\.)?(?:ncbi\.nlm\.nih\.gov/pubmed|pubmed\.ncbi\.nlm\.nih\.gov)/(\d+)/?"
)
_PMC_URL: Final = re.compile(r"https?://(?:www\.|pmc\.)?ncbi\.nlm\.nih\.gov/(?:pmc/)?articles/(PMC\d+)/?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One question or passage of an evaluation set."""

    file: str  # base name
    name: str  # its own id, else its line number
    texts: tuple[str, ...] = ()
    pmids: frozenset[int] = field(default_factory=frozenset)
    pmcids: frozenset[int] = field(default_factory=frozenset)
    dois: frozenset[str] = field(default_factory=frozenset)


def read_evaluation(path: str) -> list[Item]:
    """Return the items of an evaluation file; raises UsageError with the line that is no JSON object."""
    if not storage.exists(path):
        raise UsageError(f"{path}: there is no such evaluation file; check --evaluation")
    file = storage.base_name(path)
    with storage.open_read(path) as source:
        raw = source.read().decode("utf-8-sig", errors="replace")
    items = [_item(value, file, name) for name, value in _objects(raw, path)]
    if not items:
        raise UsageError(f"{path}: holds no question; expected JSONL, an object a line")
    return items


def _objects(raw: str, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (name, object): of the lines of JSONL, else of one JSON document."""
    try:
        whole = json.loads(raw)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get("questions"), list):
        yield from ((str(number), value) for number, value in enumerate(whole["questions"], start=1))
    elif isinstance(whole, dict) and whole and all(isinstance(value, dict) for value in whole.values()):
        yield from ((name, {"pmid": name, **value}) for name, value in whole.items())
    else:
        for number, line in enumerate(raw.split("\n"), start=1):
            if line.strip():
                yield str(number), _parsed(line, path, number)


def _parsed(line: str, path: str, number: int) -> Any:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{path}:{number}: not JSON ({error}); expected JSONL, an object a line") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}:{number}: {type(value).__name__}, expected an object a line")
    return value


def _item(value: Any, file: str, name: str) -> Item:
    texts: list[str] = []
    ids: dict[str, set[Any]] = {"pmid": set(), "pmcid": set(), "doi": set()}
    _walk(value, "", texts, ids)
    own = next((str(value[key]) for key in _ITEM_KEYS if isinstance(value, dict) and value.get(key)), name)
    return Item(
        file=file,
        name=own,
        texts=tuple(dict.fromkeys(texts)),
        pmids=frozenset(ids["pmid"] - {None}),
        pmcids=frozenset(ids["pmcid"] - {None}),
        dois=frozenset(ids["doi"] - {None}),
    )


def _walk(value: Any, key: str, texts: list[str], ids: dict[str, set[Any]]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _walk(inner, name.lower(), texts, ids)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, key, texts, ids)
    elif key in _PMID_KEYS:
        ids["pmid"].add(parse_number(str(value).removeprefix("pmid:")))
    elif key in _PMCID_KEYS:
        ids["pmcid"].add(parse_pmcid(str(value)))
    elif key in _DOI_KEYS:
        ids["doi"].add(normalize_doi(str(value)))
    elif isinstance(value, str) and key not in _NO_TEXT_KEYS:
        if found := _PUBMED_URL.fullmatch(value.strip()):
            ids["pmid"].add(int(found[1]))
        elif found := _PMC_URL.fullmatch(value.strip()):
            ids["pmcid"].add(parse_pmcid(found[1]))
        else:
            texts.append(value)


def all_items(paths: Sequence[str]) -> list[Item]:
    """Return the items of several files, in the order of the files' names."""
    return [item for path in sorted(paths, key=storage.base_name) for item in read_evaluation(path)]
