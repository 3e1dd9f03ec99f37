"""Documents from a seed: a citation, or an article with nested sections, lists, tables and figures.

Each document has a random stream of its own, named by seed, kind and number, so that it reads the same whatever
else a sample holds. Changes given by name replace what the stream would have chosen.
"""

from dataclasses import replace
from random import Random
from typing import Any

from corpus.synthetic.sample.model import (
    Article,
    Citation,
    Dialect,
    OtherText,
    Reference,
    SampleBlock,
    SampleFigure,
    SampleSection,
    SampleTable,
    TableCell,
)
from corpus.synthetic.sample.text import Author

_DATES = ("month", "month", "month", "year", "season", "medline")
_LANGUAGES = ("eng",) * 14 + ("fre", "ger", "rus")
_VERNACULAR = {"fre": "french", "ger": "german", "rus": "russian"}
_KINDS_OF_BACK = ("ack", "footnote", "appendix", "glossary")
_RARE = 0.04


def citation(rng: Random, pmid: int, **changes: Any) -> Citation:
    """Return a citation with an English abstract."""
    author = Author(rng)
    language = rng.choice(_LANGUAGES)
    title = author.title()
    foreign = language != "eng"
    made = Citation(
        pmid=pmid,
        title=f"[{title}]." if foreign else title if title.endswith("?") else f"{title}.",
        vernacular_title=author.sentence(_VERNACULAR[language]) + "." if foreign else "",
        abstract=author.abstract(structured=rng.random() < 0.3),
        other=_other(author) if rng.random() < _RARE else (),
        copyright="© Generated Press." if rng.random() < 0.15 else "",
        language=language,
        year=rng.randint(1975, 2024),
        date=rng.choice(_DATES),
        journal=author.draw("journal"),
        types=("Journal Article", "Review") if rng.random() < 0.1 else ("Journal Article",),
        mesh=author.distinct("mesh", rng.randint(0, 8)),
        keywords=author.distinct("process", 3) if rng.random() < 0.3 else (),
        authors=author.names(rng.randint(1, 6)),
        references=references(rng, rng.randint(1, 4)) if rng.random() < 0.2 else (),
    )
    return replace(made, **changes)


def references(rng: Random, count: int) -> tuple[Reference, ...]:
    """Return cited papers that are in no sample."""
    author = Author(rng)
    return tuple(
        Reference(
            text=f"{author.draw('surname')} A. {author.draw('journal')}. {author.draw('year')}",
            pmid=rng.randint(70_000_000, 79_999_999),
            pmcid=rng.randint(70_000_000, 79_999_999) if rng.random() < 0.3 else None,
            doi=f"10.5555/cited.{rng.randint(1, 10**6)}" if rng.random() < 0.5 else None,
        )
        for _ in range(count)
    )


def article(rng: Random, pmcid: int, **changes: Any) -> Article:
    """Return a full-text article of two or three thousand words."""
    figures, tables, cited = rng.randint(1, 4), rng.randint(1, 3), rng.randint(12, 40)
    author = Author(rng, references=cited, figures=figures, tables=tables)
    back = tuple(kind for kind in _KINDS_OF_BACK if rng.random() < 0.5)
    made = Article(
        pmcid=pmcid,
        title=author.title(),
        subtitle=author.title() if rng.random() < _RARE else "",
        abstract=author.abstract(structured=rng.random() < 0.35),
        other=_other(author) if rng.random() < 0.08 else (),
        loose=(author.sentences("intro", 4),) if rng.random() < 0.1 else (),
        body=_body(author, figures, tables),
        back=tuple((kind, _back_text(author, kind)) for kind in back),
        reply=author.sentences("letter", 4) if rng.random() < _RARE else "",
        references=references(rng, cited),
        keywords=author.distinct("process", rng.randint(0, 5)),
        authors=author.names(rng.randint(1, 8)),
        year=rng.randint(2004, 2024),
        journal=author.draw("journal"),
        dialect=_dialect(rng),
    )
    return replace(made, **changes)


def _dialect(rng: Random) -> Dialect:
    return Dialect(
        doctype=rng.randrange(8),
        namespaces=rng.randrange(4),
        ids=rng.randrange(4),
        licence=rng.randrange(10),
        citation=rng.randrange(3),
        dates=rng.randrange(4),
        formula=rng.randrange(3),
        floats_group=rng.random() < 0.2,
        wrapped=rng.random() < _RARE,
    )


def _other(author: Author) -> tuple[OtherText, ...]:
    if author.rng.random() < 0.5:
        return (OtherText(type="plain-language-summary", language="eng", text=author.sentences("plain", 3)),)
    return (OtherText(type="Publisher", language="ger", text=author.sentences("german_sentence", 3)),)


def _back_text(author: Author, kind: str) -> str:
    if kind == "glossary":
        return f"{author.draw('gene')}: {author.draw('process')}"
    lists = {"ack": "ack", "footnote": "conflict", "appendix": "methods_body"}
    return author.sentences(lists[kind], 2)


def _body(author: Author, figures: int, tables: int) -> tuple[SampleSection, ...]:
    """Return the sections of an article; every figure and table stands somewhere in the results."""
    rng = author.rng
    floats = [
        SampleBlock(kind="figure", figure=SampleFigure(number=number, caption=author.sentence("caption")))
        for number in range(1, figures + 1)
    ]
    floats += [_table(author, number) for number in range(1, tables + 1)]
    parts = rng.randint(2, 4)
    results = [
        SampleSection(
            title=author.sentence("heading"),
            blocks=(*_paragraphs(author, "results_body", rng.randint(2, 4)), *floats[part::parts]),
        )
        for part in range(parts)
    ]
    limits = SampleSection(title="Limitations", blocks=_paragraphs(author, "discussion", 1))
    return (
        SampleSection(title="Introduction", blocks=_paragraphs(author, "intro", rng.randint(3, 6))),
        _methods(author),
        SampleSection(title="Results", blocks=_paragraphs(author, "results_body", 1), sections=tuple(results)),
        SampleSection(
            title="Discussion",
            blocks=_paragraphs(author, "discussion", rng.randint(5, 9)),
            sections=(limits,) if rng.random() < 0.5 else (),
        ),
        SampleSection(title="Conclusions" if rng.random() < 0.8 else "", blocks=_paragraphs(author, "conclusions", 1)),
    )


def _methods(author: Author) -> SampleSection:
    rng = author.rng
    items = author.distinct("list_item", rng.randint(2, 4))
    formula = f"E={author.draw('corr')}+{author.draw('mean')}x"
    sections = (
        SampleSection(
            title="Study population",
            blocks=(
                *_paragraphs(author, "methods_body", rng.randint(1, 3)),
                SampleBlock(kind="list", text="Criteria were as follows:", items=items, inside=rng.random() < 0.5),
            ),
        ),
        SampleSection(
            title=author.sentence("method"),
            blocks=_paragraphs(author, "methods_body", rng.randint(2, 4)),
            sections=(SampleSection(title="Reagents", blocks=_paragraphs(author, "methods_body", 1)),),
        ),
        SampleSection(
            title="Statistical analysis",
            blocks=(
                SampleBlock(
                    kind="formula",
                    text="The response was modeled as",
                    items=(formula,),
                    inside=rng.random() < 0.7,
                    tail="where \\i{x} is the dose.",
                ),
                *_paragraphs(author, "methods_body", 1),
                *_oddities(author),
            ),
        ),
    )
    return SampleSection(title="Materials and methods", sections=sections)


def _oddities(author: Author) -> tuple[SampleBlock, ...]:
    """Return now and then a block that few articles have."""
    rng = author.rng
    text = author.sentences("discussion", 1)
    choices = (
        SampleBlock(kind="quote", text=author.sentence("plain")),
        SampleBlock(kind="box", text="Key points", items=(text, author.sentence("conclusions"))),
        SampleBlock(kind="supplement", text=author.sentence("caption")),
        SampleBlock(kind="preformat", text=f"model y ~ {author.draw('shape')} + {author.draw('shape')}\n  fit(data)"),
    )
    return (rng.choice(choices),) if rng.random() < 0.25 else ()


def _paragraphs(author: Author, name: str, count: int) -> tuple[SampleBlock, ...]:
    return tuple(
        SampleBlock(kind="paragraph", text=author.sentences(name, author.rng.randint(3, 6))) for _ in range(count)
    )


def _table(author: Author, number: int) -> SampleBlock:
    """Return a table whose head spans columns and whose first column may span rows."""
    rng = author.rng
    groups = author.distinct("treatment", 2)
    span = 2 * len(groups)
    head = (
        TableCell(text="Variable", rowspan=2, header=True),
        *(TableCell(text=group, colspan=2, header=True) for group in groups),
    )
    under = tuple(TableCell(text=("Mean", "SD")[column % 2], header=True) for column in range(span))
    rows: list[tuple[TableCell, ...]] = [head, under]
    for shape in author.distinct("shape", rng.randint(2, 6)):
        values = [tuple(TableCell(text=author.draw("mean")) for _ in range(span)) for _ in range(2)]
        rows += [(TableCell(text=shape, rowspan=2), *values[0]), values[1]]
    notes = (f"Values are given in {author.draw('unit')}.",) if rng.random() < 0.5 else ()
    table = SampleTable(number=number, title=author.sentence("table_title"), rows=tuple(rows), footnotes=notes)
    return SampleBlock(kind="table", table=table)
