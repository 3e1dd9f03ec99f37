"""The readers of PubMed and JATS, held against what the generator of the sample meant, record by record.

The generator knows the text of every title, abstract, paragraph, caption and cell before it writes any markup; the
readers must find all of it, in order, and nothing else.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pytest

from corpus.ncbi.archives.article_metadata import read_metadata
from corpus.ncbi.jats.reader import read_article
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Kind, Record
from corpus.synthetic.sample.jats import LICENCES, jats_xml, metadata_json
from corpus.synthetic.sample.jats_body import AUTHOR_YEAR, author_year
from corpus.synthetic.sample.model import Article, Citation, SampleBlock, SampleSection
from corpus.synthetic.sample.plant import NO_ABSTRACT, PUBLISHED
from corpus.synthetic.sample.text import plain
from corpus.synthetic.sample.world import TAR, TREE, World
from corpus.synthetic.sample.write import Sample, build, write_sample

SCALE = 0.2


@pytest.fixture(scope="module")
def world() -> World:
    return build(seed=3, scale=SCALE)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(str(tmp_path_factory.mktemp("sample")), seed=3, scale=SCALE)


def spoken(text: str) -> str:
    """Return a text with one spelling for scripts and formulas, however the reader writes them."""
    text = re.sub(r"[\^_]\(([^()]*)\)", r"\1", unicodedata.normalize("NFKC", text))
    return re.sub(r"\s*=\s*", "=", re.sub(r"\s+", " ", re.sub(r"[\^_]", "", text))).strip()


def in_article(article: Article, text: str) -> str:
    """Return a marked text as it should read in an article: references by number are taken out."""

    def cited(match: re.Match[str]) -> str:
        by_name = f" ({'; '.join(map(author_year, match[1].split(',')))})"
        return by_name if article.dialect.citation == AUTHOR_YEAR else ""

    return spoken(plain(re.sub(r" ?\\cite\{([^{}]*)\}", cited, text)))


def test_pubmed_reader_reads_what_was_meant(sample: Sample, world: World) -> None:
    differences = []
    for path, (name, citations) in zip(sample.pubmed, world.files.items(), strict=True):
        items = list(read_pubmed(path))
        assert all(isinstance(item, Record) for item in items)
        records = [item for item in items if isinstance(item, Record)]
        kept = [record for record in records if record.kind is not Kind.DELETION]
        gone = [record.pmid for record in records if record.kind is Kind.DELETION]
        assert gone == world.deletions.get(name, [])
        for citation, record in zip(citations, kept, strict=True):
            differences += [(citation.pmid, *one) for one in compare_citation(citation, record)]
    assert differences == []


def without_tail(citation: Citation) -> tuple[Citation, str]:
    """Return a citation without what is a notice in its abstract, and the notice at its end."""
    parts = [part for part in citation.abstract if part.text not in NO_ABSTRACT]
    if not parts:
        return replace(citation, abstract=()), ""
    text, begin, rest = parts[-1].text.partition(PUBLISHED)
    return replace(citation, abstract=(*parts[:-1], replace(parts[-1], text=text.strip()))), begin + rest


def compare_citation(meant: Citation, record: Record) -> Iterator[tuple[str, object, object]]:
    citation, notice = without_tail(meant)
    main = [part for part in record.abstracts if part.type == "main"]
    other = [part for part in record.abstracts if part.type != "main"]
    pairs = {
        "pmid": (citation.pmid, record.pmid),
        "version": (citation.version, record.version),
        "kind": (Kind.BOOK if citation.book else Kind.CITATION, record.kind),
        "title": (spoken(plain(citation.title)), spoken(record.title)),
        "vernacular": (citation.vernacular_title, record.vernacular_title),
        "texts": ([spoken(plain(part.text)) for part in citation.abstract], [spoken(part.text) for part in main]),
        "labels": ([part.label or "" for part in citation.abstract], [part.label for part in main]),
        "categories": ([part.category for part in citation.abstract], [part.category for part in main]),
        "other": (
            [(one.type, one.language, spoken(plain(one.text))) for one in citation.other],
            [(part.type, part.language, spoken(part.text)) for part in other],
        ),
        "copyright": (notice or (meant.copyright if meant.abstract else ""), record.copyright),
        "pmcid": (citation.pmcid, record.pmcid),
        "doi": (citation.doi.lower() if citation.doi else None, record.doi),
        "languages": ((citation.language,), record.languages),
        "year": (citation.year, record.year),
        "journal": (citation.journal, record.journal),
        "types": (("Review",) if citation.book else citation.types, record.publication_types),
        "retracted": ("Retracted Publication" in citation.types, record.retracted),
        "links": (
            [(one.type, f"pmid:{one.pmid}") for one in citation.relations],
            [(link.type, link.target) for link in record.links],
        ),
    }
    if not citation.book:
        pairs["mesh"] = (citation.mesh, record.mesh)
        pairs["keywords"] = (
            tuple(spoken(plain(word)) for word in citation.keywords),
            tuple(map(spoken, record.keywords)),
        )
    yield from ((name, meant, read) for name, (meant, read) in pairs.items() if meant != read)


def test_jats_reader_reads_what_was_meant(world: World) -> None:
    differences = []
    for place, article in [(name, one) for name in (TREE, TAR) for one in world.articles[name]]:
        raw = jats_xml(article)
        metadata = read_metadata(metadata_json(article, raw)) if place == TREE else None
        record = read_article(raw, file=f"PMC{article.pmcid}.{article.version}.xml", metadata=metadata)
        assert isinstance(record, Record), record
        license_name = LICENCES[article.dialect.licence][2]
        if metadata is None and license_name == "TDM":
            license_name = ""  # the bucket's word for "no licence stated", which a tar does not have
        differences += [(article.pmcid, *one) for one in compare_article(article, record, license_name)]
    assert differences == []


def compare_article(article: Article, record: Record, license_name: str) -> Iterator[tuple[str, object, object]]:
    main = [part for part in record.abstracts if part.type == "main"]
    title = f"{article.title}: {article.subtitle}" if article.subtitle else article.title
    pairs = {
        "ids": ((article.pmcid, article.version), (record.pmcid, record.version)),
        "pmid": (article.pmid, record.pmid),
        "doi": (article.doi.lower() if article.doi else None, record.doi),
        "title": (spoken(plain(title)), spoken(record.title)),
        "texts": ([spoken(plain(part.text)) for part in article.abstract], [spoken(part.text) for part in main]),
        "labels": ([part.label or "" for part in article.abstract], [part.label for part in main]),
        "other": (
            [spoken(plain(one.text)) for one in article.other],
            [spoken(part.text) for part in record.abstracts if part.type != "main"],
        ),
        "body": (list(meant_blocks(article)), [(block.kind, spoken(block.text)) for block in record.body]),
        "floats": (sorted(meant_floats(article)), sorted((f.kind, f.label, spoken(f.caption)) for f in record.floats)),
        "back": ([kind for kind, _ in article.back], [part.kind for part in record.back]),
        "year": (article.year, record.year),
        "journal": (article.journal, record.journal),
        "type": (article.article_type, record.article_type),
        "retracted": (article.retracted, record.retracted),
        "manuscript": (article.manuscript, record.manuscript),
        "license": (license_name, record.license),
    }
    yield from ((name, meant, read) for name, (meant, read) in pairs.items() if meant != read)


def meant_blocks(article: Article) -> Iterator[tuple[str, str]]:
    for text in article.loose:
        yield "paragraph", in_article(article, text)
    for section in article.body or ():
        yield from section_blocks(article, section)


def section_blocks(article: Article, section: SampleSection) -> Iterator[tuple[str, str]]:
    if section.title:
        yield "heading", in_article(article, section.title)
    for block in section.blocks:
        yield from block_texts(article, block)
    for inner in section.sections:
        yield from section_blocks(article, inner)


def block_texts(article: Article, block: SampleBlock) -> Iterator[tuple[str, str]]:
    if block.kind in ("paragraph", "list", "formula"):
        yield "paragraph", in_article(article, block.text)
    if block.kind == "list":
        for number, item in enumerate(block.items, start=1):
            yield "list_item", in_article(article, f"{number}. {item}")
    if block.kind == "formula":
        yield "formula", in_article(article, f"{block.items[0]} (1)")
        yield "paragraph", in_article(article, block.tail)
    if block.kind == "box":
        yield "heading", in_article(article, block.text)
        for item in block.items:
            yield "paragraph", in_article(article, item)
    if block.kind in ("quote", "preformat"):
        yield block.kind, in_article(article, block.text)


def meant_floats(article: Article) -> Iterator[tuple[str, str, str]]:
    stack = list(article.body or ())
    while stack:
        section = stack.pop()
        stack += section.sections
        for block in section.blocks:
            if block.figure:
                yield "figure", f"Figure {block.figure.number}", in_article(article, block.figure.caption)
            if block.table:
                yield "table", f"Table {block.table.number}", in_article(article, block.table.title)
            if block.kind == "supplement":
                yield "supplement", "Additional file 1", in_article(article, block.text)


def test_tables_keep_their_cells_and_spans(world: World) -> None:
    num_tables = 0
    for article in world.articles[TREE]:
        record = read_article(jats_xml(article), file="PMC1.1.xml")
        assert isinstance(record, Record)
        meant = {}
        stack = list(article.body or ())
        while stack:
            section = stack.pop()
            stack += section.sections
            for block in section.blocks:
                if block.table:
                    meant[f"Table {block.table.number}"] = [
                        [(spoken(plain(cell.text)), cell.rowspan, cell.colspan, cell.header) for cell in row]
                        for row in block.table.rows
                    ]
        read = {
            item.label: [
                [(spoken(cell.text), cell.rowspan, cell.colspan, cell.header) for cell in row] for row in item.rows
            ]
            for item in record.floats
            if item.kind == "table"
        }
        assert read == meant
        num_tables += len(meant)
    assert num_tables > 50
