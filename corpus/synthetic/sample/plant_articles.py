"""Planted articles, and what is planted between articles and citations.

The join cases: a citation whose full text is kept is dropped, whether the two know each other by PMC id, PMID or
DOI; one whose article is not here, or has no body, stays; one that merely *cites* an article's ids stays too,
the trap into which taking the first PMC id of a record falls.
"""

from dataclasses import replace
from typing import Any

from corpus.records import pmc_doc_id
from corpus.synthetic.sample.jats import NONCOMMERCIAL
from corpus.synthetic.sample.model import Article, Citation, Reference, SampleBlock, SampleSection
from corpus.synthetic.sample.plant import edit_words
from corpus.synthetic.sample.text import Author, jaccard
from corpus.synthetic.sample.world import DOI_PREFIX, KEPT, TAR, TREE, World, full_text

_ELSEWHERE = 80_000_001  # PMC ids that are in no sample


def plant_articles(world: World) -> None:
    """Add all planted cases that concern articles."""
    for plant in (_joins, _bodiless, _absent, _traps, _versions, _notices, _copies, _marked):
        plant(world)


def article_citation(world: World, article: Article, **changes: Any) -> Citation:
    """Return the citation of an article: same title, abstract, authors, journal and year, and no ids but its PMID."""
    return world.citation(
        "of_article",
        title=f"{article.title}.",
        vernacular_title="",
        abstract=article.abstract,
        other=(),
        language="eng",
        year=article.year,
        journal=article.journal,
        authors=article.authors,
        **changes,
    )


def _doi(number: int) -> str:
    return f"{DOI_PREFIX}/Sample.{number}"


def _joins(world: World) -> None:
    """Articles in the tree and the old tar with their citations."""
    for way, full in (("pmcid", 100), ("pmid", 36), ("doi", 36)):
        for number in range(world.count(full)):
            old = number % 6 == 5
            article = world.article("joined", old=old)
            citation = article_citation(world, article)
            if way == "pmcid":
                citation = replace(citation, pmcid=article.pmcid, doi=_doi(article.pmcid))
                article = replace(article, pmid=citation.pmid if number % 2 else None, doi=_doi(article.pmcid))
            elif way == "pmid":
                article = replace(article, pmid=citation.pmid)
            else:
                # DOIs are the same whatever the case of their letters.
                doi = _doi(article.pmcid)
                citation, article = replace(citation, doi=doi.upper()), replace(article, doi=doi.lower())
            fates = (
                world.put_article(article, TAR if old else TREE, KEPT),
                world.put(citation, world.baseline(), "full_text_kept", survivor=_own_id(article)),
            )
            world.add_case(f"join_by_{way}", *fates)


def _own_id(article: Article) -> str:
    return pmc_doc_id(article.pmcid, article.version)


def _bodiless(world: World) -> None:
    """Articles without a body: their citations stay, since no full text holds them."""
    for number in range(world.count(8)):
        article = replace(world.article("bodiless"), body=None, loose=(), reply="")
        # The citation is a year newer, so that of two equal abstracts it is the one to stay.
        citation = replace(article_citation(world, article), pmcid=article.pmcid, year=article.year + 1)
        outcomes: tuple[str, ...] = ("exact_duplicate", "near_duplicate")
        if number % 2:
            article, outcomes = replace(article, abstract=(), other=()), ("no_text",)
        fates = world.put_article(article, TREE, *outcomes), world.put(citation, world.baseline(), KEPT)
        world.add_case("article_without_body", *fates)


def _absent(world: World) -> None:
    """Citations with a PMC id of their own whose article is not in the sample."""
    for _ in range(world.count(26)):
        citation = world.citation("absent", pmcid=_ELSEWHERE + world.next("elsewhere"))
        world.add_case("article_not_here", world.put(citation, world.baseline(), KEPT))


def _traps(world: World) -> None:
    """Citations without ids of their own that cite an article of the sample by PMC id, PMID or DOI."""
    for number in range(world.count(45)):
        target = world.article("cited", doi=None)
        cited = article_citation(world, target, doi=_doi(target.pmcid))
        target = replace(target, pmid=cited.pmid, doi=cited.doi)
        way = ("pmcid", "pmcid", "pmid", "doi")[number % 4]
        ids: dict[str, Any] = {"pmcid": target.pmcid, "pmid": target.pmid, "doi": target.doi}
        reference = Reference(text="Sample J. 2009;4:4", **{way: ids[way]})
        citing = world.citation("citing", pmcid=None, doi=None, references=(reference,))
        fates = (
            world.put_article(target, TREE, KEPT),
            world.put(cited, world.baseline(), "full_text_kept", survivor=_own_id(target)),
            world.put(citing, world.baseline(), KEPT),
        )
        world.add_case(f"cited_{way}_is_not_own", *fates)


def _versions(world: World) -> None:
    """Articles in two versions; versions are numbers, so 10 comes after 2."""
    for number in range(world.count(12)):
        old = world.article("versions")
        numbers = (2, 10) if number == 0 else (1, 2)
        old = replace(old, version=numbers[0])
        new = replace(_edited(world, old, step=3), version=numbers[1])
        fates = [world.put_article(old, TREE, "older_version"), world.put_article(new, TREE, KEPT)]
        if number % 2:
            citation = replace(article_citation(world, new), pmcid=new.pmcid)
            fates.append(world.put(citation, world.baseline(), "full_text_kept", survivor=_own_id(new)))
        world.add_case("article_versions", *fates)


def _notices(world: World) -> None:
    """Correction and retraction notices that PMC keeps as articles of their own."""
    for number in range(world.count(6)):
        name = ("erratum", "retraction")[number % 2]
        text = Author(world.stream(name)).sentence(name)
        body = (SampleSection(title="", blocks=(SampleBlock(kind="paragraph", text=text),)),)
        kind = ("correction", "retraction")[number % 2]
        notice = world.article(
            "notice", article_type=kind, body=body, abstract=(), other=(), back=(), reply="", loose=()
        )
        world.add_case("notice_article", world.put_article(notice, TREE, "notice"))


def _copies(world: World) -> None:
    """An author manuscript and the published article, alike but for a few words: the published one stays."""
    for _ in range(world.count(6)):
        published = world.article("published")
        manuscript = _edited(world, published, step=3)
        dialect = replace(published.dialect, licence=9, doctype=5, ids=1)
        manuscript = replace(manuscript, pmcid=world.article("copy").pmcid, manuscript=True, dialect=dialect)
        similarity = jaccard(full_text(published), full_text(manuscript))
        assert similarity > 0.9, similarity
        fates = (
            world.put_article(published, TREE, KEPT),
            world.put_article(manuscript, TREE, "near_duplicate", survivor=_own_id(published)),
        )
        world.add_case("manuscript_copy", *fates, jaccard=similarity)


def _marked(world: World) -> None:
    """Retracted articles (whoever says so, with or without citation), page scans, German ones, non-commercial ones."""
    for number in range(world.count(4)):  # said by: the bucket (no citation), both, PubMed, the bucket
        article = world.article("retracted", retracted=number % 4 != 2)
        fates = [world.put_article(article, TREE, "retracted")]
        if number % 4:
            types = ("Journal Article", *(["Retracted Publication"] if number % 4 != 3 else []))
            citation = article_citation(world, article, pmcid=article.pmcid, types=types)
            fates.append(world.put(citation, world.baseline(), "retracted"))
        world.add_case("retracted_article", *fates)
    for _ in range(world.count(2)):
        text = "\n".join(Author(world.stream("scan_text")).sentences("letter", 4) for _ in range(5))
        scan = _of_one_block(world, "scan", SampleBlock(kind="preformat", text=text), ocr=True)
        world.add_case("scanned_article", world.put_article(scan, TREE, "ocr"))
    for _ in range(world.count(3)):
        block = SampleBlock(kind="paragraph", text=Author(world.stream("german_text")).sentences("german_sentence", 4))
        world.add_case("german_article", world.put_article(_of_one_block(world, "german", block), TREE, "language"))
    for number in range(world.count(4)):
        article = world.article("noncommercial")
        dialect = replace(article.dialect, licence=NONCOMMERCIAL[number % len(NONCOMMERCIAL)])
        article = replace(article, dialect=dialect)
        world.add_case("noncommercial_article", world.put_article(article, TREE, KEPT))


def _of_one_block(world: World, kind: str, block: SampleBlock, **changes: Any) -> Article:
    """Return an article that is one block of text and nothing else."""
    body = (SampleSection(title="", blocks=(block,)),)
    return world.article(kind, body=body, abstract=(), other=(), loose=(), reply="", back=(), **changes)


def _edited(world: World, article: Article, *, step: int) -> Article:
    """Return an article with a word changed in every few paragraphs."""
    rng = world.stream("change")

    def edit(section: SampleSection) -> SampleSection:
        blocks = tuple(
            replace(block, text=edit_words(rng, block.text, 1))
            if block.kind == "paragraph" and place % step == 0
            else block
            for place, block in enumerate(section.blocks)
        )
        return replace(section, blocks=blocks, sections=tuple(edit(part) for part in section.sections))

    return replace(article, body=tuple(edit(section) for section in article.body or ()))
