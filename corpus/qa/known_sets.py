"""Evaluation sets by name, from `known_sets.yaml`, and which of them a file holds, whatever it is called.

A file is known by its SHA-256, which says its revision; else by the PMIDs of its items; else, in a published form, by
as many questions and labels as its set has published. The last two say no revision. What is none of these is not known.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Annotated, Final

import msgspec
import yaml
from pydantic import AfterValidator

from corpus.errors import UsageError, did_you_mean
from corpus.qa.published import published_splits
from corpus.qa.recognise import read_file
from corpus.qa.sources import QuestionFile, open_file

NOT_KNOWN: Final = "not known by name; its revision and licence are yours to check"
_SPLITS: Final = ("test", "dev", "train", "val")


class HeldFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that was held in hand once."""

    part: str
    revision: str
    sha256: str
    licence: str = ""  # where it is another one than the set's


class NamedPapers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a set that its PMIDs name."""

    part: str
    items: int
    sha256: str  # of the PMIDs, ascending, one a line


class KnownSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One evaluation set."""

    title: str
    licence: str
    shape: str
    get: str  # where a person gets it
    files: tuple[HeldFile, ...] = ()
    papers: tuple[NamedPapers, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RecognisedSet:
    """What a file was found to be."""

    name: str  # of the set
    part: str
    revision: str  # "" where it is not known
    licence: str
    by: str  # what it was known by

    def text(self) -> str:
        """Return it for reading."""
        revision = f"revision {self.revision}" if self.revision else "revision not known"
        return f"{self.name}, {self.part} (known by {self.by}); {revision}; licence {self.licence}"


@cache
def known_sets() -> dict[str, KnownSet]:
    """Return the sets by name."""
    text = resources.files("corpus.qa").joinpath("known_sets.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), dict[str, KnownSet])


def _is_known(name: str) -> str:
    if name not in known_sets():
        known = ", ".join(known_sets())
        raise ValueError(f"{name!r} is no known evaluation set{did_you_mean(name, known_sets())}; known are {known}")
    return name


KnownName = Annotated[str, AfterValidator(_is_known)]


def recognise_sets(path: str, pmids: Iterable[int] = ()) -> tuple[RecognisedSet, ...]:
    """Return the sets that a file holds; (): not known.

    pmids: of its items. A file that cannot be read as a question set is not known; raises nothing for it.
    """
    try:
        source = open_file(path)
    except UsageError:
        return ()
    named = list(_by_content(source)) or list(_by_papers(set(pmids)))
    return tuple(named or _by_counts(source))


def _by_content(source: QuestionFile) -> Iterator[RecognisedSet]:
    for name, one in known_sets().items():
        for file in one.files:
            if file.sha256 in (source.sha256, source.unpacked_sha256):
                licence = file.licence or one.licence
                yield RecognisedSet(name=name, part=file.part, revision=file.revision, licence=licence, by="SHA-256")


def _by_papers(pmids: Collection[int]) -> Iterator[RecognisedSet]:
    digest = papers_digest(pmids)
    for name, one in known_sets().items():
        for part in one.papers:
            if (part.items, part.sha256) == (len(pmids), digest):
                yield RecognisedSet(name=name, part=part.part, revision="", licence=one.licence, by="its PMIDs")


def papers_digest(pmids: Iterable[int]) -> str:
    """Return the SHA-256 of some PMIDs, whatever their order."""
    return hashlib.sha256("\n".join(map(str, sorted(pmids))).encode()).hexdigest()


def _by_counts(source: QuestionFile) -> Iterator[RecognisedSet]:
    """Yield what a file of a published form is by its counts; the split is tried where its name does not say one."""
    for path in (source.path, *(f"{source.path.rstrip('/')}/{split}" for split in _SPLITS)):
        try:
            reading = read_file(replace(source, path=path))
        except UsageError:
            continue
        found = published_splits(reading.questions, reading.shape)
        for counted, split, number in found:
            name = _set_named(counted)
            licence = known_sets()[name].licence
            part = f"{split} of {counted}, {number:,} questions"
            yield RecognisedSet(name=name, part=part, revision="", licence=licence, by="published counts")
        if found:
            return


def _set_named(counted: str) -> str:
    """Return the set that a name of `published.yaml` belongs to: `mmlu/anatomy` to `mmlu`."""
    name = next(name for name in ("mmlu", "mirage", "medqa", counted) if counted.startswith(name))
    assert name in known_sets(), f"{name} of {counted} stands in published.yaml alone"
    return name


def absent_sets(wanted: Iterable[str], found: Collection[str], folder: str) -> list[str]:
    """Return a line for each wanted set of which a folder holds nothing: what it is and where it is to be had."""
    missing = [(name, known_sets()[name]) for name in wanted if name not in found]
    return [f"{name}: not in {folder}, so not looked for; {one.title}: {one.get}" for name, one in missing]
