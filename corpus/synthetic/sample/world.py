"""Truth of a sample: its files, its articles, and the fate of every record.

A `World` is filled by `corpus.synthetic.sample.plant` and written by `corpus.synthetic.sample.write`. Every record
belongs to one `Case`, and each case says for each of its records what `assemble` must do with it, so a test can
compare the decisions of a run with this truth, record by record.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from corpus.records import Kind, pmc_doc_id, pubmed_doc_id
from corpus.synthetic.sample import compose
from corpus.synthetic.sample.model import Article, Citation
from corpus.synthetic.sample.text import plain

BASELINE = ("pubmed26n0001.xml.gz", "pubmed26n0002.xml.gz")
UPDATES = ("pubmed26n0003.xml.gz", "pubmed26n0004.xml.gz")
MALFORMED = "pubmed26n0005.xml.gz"
TREE, TAR = "tree", "tar"

KEPT = "kept"

# Numbers that NCBI has not given out: PubMed stands near 41 million, PMC near 13 million; 10.5555 is the
# prefix that DOI registrars keep for examples. Articles of the old tar must lie below one million.
_FIRST_PMID, _FIRST_PMCID, _FIRST_OLD_PMCID = 90_000_001, 90_000_001, 900_001
DOI_PREFIX = "10.5555"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """What must become of one record; several outcomes mean that any of them is right."""

    doc_id: str
    kind: Kind
    file: str  # PubMed file, or "" for an article
    version: int
    outcomes: tuple[str, ...]
    survivor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One planted situation with its records; `jaccard` is exact, on word 5-grams of title and abstract or text."""

    name: str
    fates: tuple[Fate, ...]
    jaccard: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Everything of one sample; the plants add to it."""

    seed: int
    scale: float
    files: dict[str, list[Citation]] = field(default_factory=lambda: {name: [] for name in (*BASELINE, *UPDATES)})
    deletions: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in UPDATES})
    articles: dict[str, list[Article]] = field(default_factory=lambda: {TREE: [], TAR: []})
    cases: list[Case] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    def count(self, full: int) -> int:
        """Return how many of a planted case the scale asks for, at least two."""
        return max(2, round(full * self.scale))

    def next(self, name: str) -> int:
        """Count up and return one of the world's counters."""
        self.counters[name] = self.counters.get(name, -1) + 1
        return self.counters[name]

    def stream(self, kind: str) -> Random:
        """Return the random stream of the next document of a kind."""
        # A string seeds by its SHA-512, which no PYTHONHASHSEED touches.
        return Random(f"{self.seed}/{kind}/{self.next(kind)}")

    def citation(self, kind: str, **changes: Any) -> Citation:
        """Return a new citation with the next free PMID; it is in no file yet."""
        return compose.citation(self.stream(kind), _FIRST_PMID + self.next("pmid"), **changes)

    def article(self, kind: str, *, old: bool = False, **changes: Any) -> Article:
        """Return a new article with the next free PMCID; `old` takes a number of the old tar."""
        pmcid = _FIRST_OLD_PMCID + self.next("old") if old else _FIRST_PMCID + self.next("pmcid")
        return compose.article(self.stream(kind), pmcid, **changes)

    def put(self, citation: Citation, file: str, *outcomes: str, survivor: str | None = None) -> Fate:
        """Put a citation into a file and return its fate."""
        self.files[file].append(citation)
        return Fate(
            doc_id=pubmed_doc_id(citation.pmid),
            kind=Kind.BOOK if citation.book else Kind.CITATION,
            file=file,
            version=citation.version,
            outcomes=outcomes,
            survivor=survivor,
        )

    def delete(self, pmid: int, file: str) -> Fate:
        """Put a PMID into a file's DeleteCitation and return the fate of that notice."""
        self.deletions[file].append(pmid)
        return Fate(doc_id=pubmed_doc_id(pmid), kind=Kind.DELETION, file=file, version=1, outcomes=("deletion_notice",))

    def put_article(self, article: Article, place: str, *outcomes: str, survivor: str | None = None) -> Fate:
        """Put an article into the tree or the tar and return its fate; its reply shares it, in a case of its own."""
        self.articles[place].append(article)
        if article.reply:
            # The reply of an edited copy is the same word for word.
            shared = tuple("exact_duplicate" if one == "near_duplicate" else one for one in outcomes)
            reply = Fate(
                doc_id=pmc_doc_id(article.pmcid, article.version, 1),
                kind=Kind.SUB_ARTICLE,
                file="",
                version=article.version,
                outcomes=shared,
            )
            self.add_case("reply_in_article", reply)
        return Fate(
            doc_id=pmc_doc_id(article.pmcid, article.version),
            kind=Kind.ARTICLE,
            file="",
            version=article.version,
            outcomes=outcomes,
            survivor=survivor,
        )

    def add_case(self, name: str, *fates: Fate, jaccard: float | None = None) -> None:
        """Note a planted case."""
        self.cases.append(Case(name=name, fates=fates, jaccard=jaccard))

    def baseline(self) -> str:
        """Return the baseline files in turn."""
        return BASELINE[self.next("baseline") % len(BASELINE)]


def document(citation: Citation) -> str:
    """Return the plain text of a citation: title, then the parts of the abstract with their labels."""
    parts = [f"{part.label}: {part.text}" if part.label else part.text for part in citation.abstract]
    return plain("\n".join([citation.title, *parts]))


def full_text(article: Article) -> str:
    """Return the plain text of an article: title, abstract and the paragraphs of the body."""
    blocks = [*article.loose]
    stack = list(reversed(article.body or ()))
    while stack:
        section = stack.pop()
        blocks += [section.title, *(block.text for block in section.blocks)]
        stack += reversed(section.sections)
    return plain("\n".join([article.title, *(part.text for part in article.abstract), *blocks]))
