"""`pieces_of`: what `render` writes is in the pieces without a rule, and each rule is named."""

import re
from collections import Counter

import pytest
from hypothesis import given

from corpus.records import AbstractPart, BackPart, Block, BlockKind, Float, Record, Source, pmc_doc_id
from corpus.records import Kind as RecordKind
from corpus.text.pieces import pieces_of
from corpus.text.render import plain_lines, render
from tests.support.random_records import records


def words(text: str) -> Counter[str]:
    return Counter(text.split())


def added_by_render(record: Record) -> Counter[str]:
    """Return the words that `render` may write beside the texts: labels, marks, signs of headings and bullets."""
    labels = [*(part.label for part in record.abstracts), *(item.label for item in record.floats)]
    found: Counter[str] = Counter()
    for label in labels:
        plain = words(plain_lines(label))
        found += plain + words(f"{plain_lines(label).rstrip(': ')}:") + words(f"{plain_lines(label)}.")
    for block in record.body:
        found += words(plain_lines(block.mark))
        found += Counter({"-": 1, "#" * min(max(block.depth, 1) + 1, 6): 1})
    return found


@given(records(7))
def test_pieces_without_a_rule_are_what_the_text_has(record: Record) -> None:
    staying = sum((words(piece.text) for piece in pieces_of(record) if not piece.rule), Counter[str]())
    written = words(render(record))
    assert staying - written == Counter()
    assert written - staying - added_by_render(record) == Counter()


@given(records(7))
def test_no_text_of_a_record_is_lost(record: Record) -> None:
    texts = [record.title, record.vernacular_title, record.copyright, *(part.text for part in record.abstracts)]
    texts += [item.caption for item in record.floats]
    given_words = sum((words(plain_lines(text)) for text in texts), Counter[str]())
    given_words += sum(
        (words(plain_lines(one.text, markup=one.kind is not BlockKind.PREFORMAT)) for one in record.body),
        Counter[str](),
    )
    assert sum((words(piece.text) for piece in pieces_of(record)), Counter[str]()) == given_words


def block(text: str, kind: BlockKind = BlockKind.PARAGRAPH, depth: int = 1) -> Block:
    return Block(kind=kind, text=text, depth=depth)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("A cohort of mice", ""),
        ("Une cohorte de souris", "vernacular title"),
        ("We kept mice.", ""),
        ("Wir hielten Mäuse.", "other abstract"),
        ("Grant 12.", "part: funding"),
        ("Mice were kept.", ""),
        ("None declared by us.", "section: conflicts of interest"),
        ("Supporting nothing", "heading over nothing"),
        ("The online version of this article contains supplementary material.", "stock sentence"),
        ("Weight by week.", ""),
        ("Doses of all groups.", "float: table"),
        ("In milligrams.", "float: footnote"),
        ("We thank our mice.", "back matter: ack"),
        ("© 2020 The Authors", "notice of an abstract"),
    ],
)
def test_each_rule_is_named(text: str, rule: str) -> None:
    record = Record(
        doc_id=pmc_doc_id(1, 1),
        source=Source.PMC,
        kind=RecordKind.ARTICLE,
        title="A cohort of mice",
        vernacular_title="Une cohorte de souris",
        abstracts=(
            AbstractPart(text="We kept mice."),
            AbstractPart(type="trans-abstract", language="ger", text="Wir hielten Mäuse."),
            AbstractPart(label="Funding", text="Grant 12."),
        ),
        body=(
            block("Methods", BlockKind.HEADING),
            block("Mice were kept."),
            block("The online version of this article contains supplementary material."),
            block("Competing interests", BlockKind.HEADING),
            block("None declared by us."),
            block("Supporting nothing", BlockKind.HEADING),
        ),
        floats=(
            Float(kind="figure", caption="Weight by week."),
            Float(kind="table", caption="Doses of all groups.", footnotes=("In milligrams.",)),
        ),
        back=(BackPart(kind="ack", title="Thanks", text="We thank our mice."),),
        copyright="© 2020 The Authors",
    )
    assert {piece.text: piece.rule for piece in pieces_of(record)}[text] == rule
    assert (re.search(re.escape(text), render(record)) is not None) == (rule == "")
    headings = [piece.text for piece in pieces_of(record) if piece.heading]
    assert headings == ["Methods", "Competing interests", "Supporting nothing", "Thanks"]
