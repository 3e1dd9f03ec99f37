"""Evaluation sets: the texts a model must not have read, and the papers that they were made from.

A file is JSONL, an object a line, or one JSON document as its makers publish it: BioASQ's (`questions`; `articles` in
task A; `data` in SQuAD's form), PubMedQA's (objects by PMID, its answers or its split alone), or a list; or Parquet,
CSV, TSV, a text a line, MedQuAD's XML; packed by gzip or xz or not. An object has any shape.
Every string in it is a text, unless its key says that it is an id (`pmid`, `pubid`, `pmcid`, `doi`, `id` …) or a label,
or it is the address of a paper, as in BioASQ's `documents`.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from corpus import storage
from corpus.errors import UsageError
from corpus.ids import normalize_doi, parse_number, parse_pmcid
from corpus.qa.known_sets import RecognisedSet, recognise_sets
from corpus.qa.recognise import read_file
from corpus.qa.sources import bare_name, find_files, open_file, unpacked
from corpus.storage.json_files import BadJsonError, parse_json

_PMID_KEYS: Final = frozenset(["pmid", "pubid", "pubmed_id", "pmids", "pubmed"])
_PMCID_KEYS: Final = frozenset(["pmcid", "pmc", "pmc_id"])
_DOI_KEYS: Final = frozenset(["doi", "dois"])
_ITEM_KEYS: Final = ("id", "qid", "question_id", "pubid", "pmid")
_NO_TEXT_KEYS: Final = frozenset(
    (
        *("id", "qid", "question_id", "type", "year", "meshes", "meshmajor", "journal", "concepts", "triples"),
        *("beginsection", "endsection", "labels", "split"),
        *("final_decision", "reasoning_required_pred", "reasoning_free_pred"),
    )
)
_LISTS: Final = ("questions", "articles", "data")
_EXPECTED: Final = "expected JSONL, an object a line, or the JSON that BioASQ or PubMedQA publish"
_COMPRESSED: Final = (b"PK\x03\x04", b"BZh")
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
    """Return the items of an evaluation file; raises UsageError, with the place, for what is none."""
    return read_hashed_evaluation(path)[0]


def read_hashed_evaluation(path: str) -> tuple[list[Item], str]:
    """Return the items of an evaluation file and the SHA-256 of the bytes that held them; raises UsageError."""
    if not storage.exists(path):
        raise UsageError(f"{path}: there is no such evaluation file; check --evaluation")
    if not storage.is_remote(path) and os.path.isdir(path):
        raise UsageError(f"{path}: not a regular file but a folder; check --evaluation")
    file = storage.readable_name(path)
    with storage.open_read(path) as source:
        stored = source.read()
    raw = unpacked(stored, path)
    if raw.startswith(_COMPRESSED):
        raise UsageError(f"{path}: compressed; unpack it and give the file inside")
    found = _other_rows(path) if _is_no_json(raw, path) else _objects(raw, path)
    items = [_item(value, file, name) for name, value in found]
    if not items:
        raise UsageError(f"{path}: holds no question; {_EXPECTED}")
    return items, hashlib.sha256(stored).hexdigest()


def find_evaluation_files(paths: tuple[str, ...]) -> list[str]:
    """Return the files of `--evaluation`, folders searched for what may hold questions; raises UsageError."""
    if not any(map(_is_folder, paths)):
        return sorted(paths, key=storage.readable_name)
    return sorted(find_files(paths)[0], key=storage.readable_name)


def _is_folder(path: str) -> bool:
    return bool(storage.walk_files(path)) if storage.is_remote(path) else os.path.isdir(path)


def describe_evaluation(paths: tuple[str, ...], index: Iterable[Item]) -> dict[str, tuple[RecognisedSet, ...]]:
    """Return what each file of `--evaluation` is, by its path; (): not known by name."""
    pmids: dict[str, set[int]] = {}
    for item in index:
        pmids.setdefault(item.file, set()).update(item.pmids)
    files = find_evaluation_files(paths)
    return {path: recognise_sets(path, pmids.get(storage.readable_name(path), ())) for path in files}


def _is_no_json(raw: bytes, path: str) -> bool:
    """Say whether a file is Parquet, XML, a table or lines of text, by its first bytes and its name."""
    start = raw[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    name = bare_name(path)
    is_text = name.endswith(".txt") and start not in (b"{", b"[")
    return raw.startswith(b"PAR1") or start == b"<" or name.endswith((".csv", ".tsv")) or is_text


def _other_rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, object) of a file that is no JSON; raises UsageError for one of no known form."""
    source = open_file(path)
    if source.kind == "xml":
        for one in read_file(source).questions:
            yield one.id, {"id": one.id, "question": one.text, "answer": one.answer}
    for number, row in source.rows:
        yield str(number), row if isinstance(row, dict) else {"texts": row}


def _objects(raw: bytes, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, object): of one JSON document, else of the lines of JSONL."""
    try:
        whole = parse_json(raw, nan=True)
    except BadJsonError as error:
        if not _is_json(raw.strip().partition(b"\n")[0]):
            raise UsageError(f"{path}: not JSON ({error}); {_EXPECTED}") from error
        whole = None
    if isinstance(whole, list):
        yield from _numbered(whole, path)
    elif isinstance(whole, dict) and (name := next((name for name in _LISTS if _holds_objects(whole, name)), None)):
        yield from _numbered(whole[name], f"{path}: {name}")
    elif isinstance(whole, dict) and whole and all(isinstance(value, dict) for value in whole.values()):
        for name, value in whole.items():
            # Any other set's keys may be numbers of questions.
            yield name, {"pmid": name, **value} if "CONTEXTS" in value else value
    elif isinstance(whole, dict) and whole and all(key.isdecimal() for key in whole) and _are_answers(whole):
        yield from ((name, {"pmid": name}) for name in whole)
    elif isinstance(whole, dict) and set(whole) == {"test", "folds"}:
        yield from ((str(name), {"pmid": name}) for name in _names_of_split(whole))
    elif isinstance(whole, dict) and b"\n" in raw.strip():
        keys = ", ".join(sorted(whole)[:5])
        raise UsageError(f"{path}: one JSON object of the keys {keys}; {_EXPECTED}")
    else:
        for number, line in enumerate(raw.split(b"\n"), start=1):
            if line.strip():
                yield str(number), _parsed(line, path, number)


def _is_json(line: bytes) -> bool:
    try:
        parse_json(line, nan=True)
    except BadJsonError:
        return False
    return True


def _holds_objects(whole: dict[str, Any], name: str) -> bool:
    return isinstance(whole.get(name), list) and all(isinstance(value, dict) for value in whole[name])


def _are_answers(whole: dict[str, Any]) -> bool:
    return all(value in ("yes", "no", "maybe") for value in whole.values())


def _names_of_split(whole: dict[str, Any]) -> list[Any]:
    """Return the PMIDs of a split of PubMedQA: those of the test half, then those of the folds."""
    parts = [whole["test"], *(whole["folds"] if isinstance(whole["folds"], list) else ())]
    return [name for part in parts if isinstance(part, list) for name in part]


def _numbered(values: list[Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise UsageError(f"{where}: item {number} is of type {type(value).__name__}; {_EXPECTED}")
        yield str(number), value


def _parsed(line: bytes, path: str, number: int) -> dict[str, Any]:
    try:
        value = parse_json(line, nan=True)
    except BadJsonError as error:
        raise UsageError(f"{path}:{number}: not JSON ({error}); {_EXPECTED}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}:{number}: of type {type(value).__name__}; {_EXPECTED}")
    return value


def _item(value: dict[str, Any], file: str, name: str) -> Item:
    texts: list[str] = []
    ids: dict[str, set[Any]] = {"pmid": set(), "pmcid": set(), "doi": set()}
    _walk(value, "", texts, ids)
    own = next((str(value[key]) for key in _ITEM_KEYS if value.get(key)), name)
    return Item(
        file=file,
        name=own,
        texts=tuple(dict.fromkeys(texts)),
        pmids=frozenset(ids["pmid"] - {None}),
        pmcids=frozenset(ids["pmcid"] - {None}),
        dois=frozenset(ids["doi"] - {None}),
    )


def _walk(value: Any, key: str, texts: list[str], ids: dict[str, set[Any]]) -> None:
    if key in _NO_TEXT_KEYS:
        return
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
    elif isinstance(value, str):
        if found := _PUBMED_URL.fullmatch(value.strip()):
            ids["pmid"].add(parse_number(found[1]))
        elif found := _PMC_URL.fullmatch(value.strip()):
            ids["pmcid"].add(parse_pmcid(found[1]))
        else:
            texts.append(value)
