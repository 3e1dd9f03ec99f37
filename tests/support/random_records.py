"""Random records, batches of them and configurations of `assemble`, as Hypothesis draws them."""

import pyarrow as pa
from hypothesis import strategies as st

from corpus.assemble.config import AssembleConfig
from corpus.records import AbstractPart, Block, BlockKind, Float, Kind, Record, Source, pmc_doc_id, pubmed_doc_id
from corpus.storage.schema import to_table

WORDS = st.sampled_from(
    [
        *(
            "a",
            "the",
            "word",
            "p<0.05",
            "β",
            "µg",
            "±",
            "é",
            "é",
            "x­y",
            "​",
            "TNF-α",
            "10⁵",
            "漢字",
            "😀",
            "ſ",
            "가",
            "각",
        ),
        *(" ", "  ", "\n", " \n ", "\t", "\r", " ", " ", "\x0b", "\x1f", "\x7f", "-", ":", ".", "# ", "- "),
        "The online version of this article contains supplementary material.",
        *("I have  read this submission", "DOI: 10.1000/x1", "E-mail: a@b.org", "Video  abstract: see http://x.org"),
        *("The  online", "electronic supplementary material", "Online version of this article"),
    ]
)
TEXT = st.lists(WORDS, max_size=9).map("".join)
LABEL = st.sampled_from(
    [
        "",
        "METHODS",
        "Funding",
        "Trial registration:",
        "Ethics",
        "Methods: ",
        "unlabelled",
        "UNASSIGNED:",
        " : ",
        "Abstract ",
        "ABſTRACT",
        "a:b ",
    ]
)
LANGUAGES = st.sampled_from(["", "", "eng", "en-GB", "fr"])
PARTS = st.builds(
    AbstractPart, type=st.sampled_from(["main", "main", "graphical"]), language=LANGUAGES, label=LABEL, text=TEXT
)
ADMINISTRATIVE = st.sampled_from(
    [
        "Ethics statement",
        "Abbreviations",
        "Funding",
        "Competing  interests",
        "2.1 Authors’ contributions:",
        *("Methods", "2. Results & discussion", "Methods: setting", "Introduction"),
        "long β " * 300,
    ]
)
MARKS = st.sampled_from(["", "", "1.", "ii)", "Step  4.", "a", " ", "é.", "12345678."])
MARKED = st.tuples(MARKS, TEXT).map(" ".join)
BLOCKS = st.builds(
    Block,
    kind=st.sampled_from([*BlockKind, BlockKind.HEADING, BlockKind.HEADING]),
    depth=st.integers(-1, 8),
    text=st.one_of(TEXT, ADMINISTRATIVE, MARKED),
    mark=MARKS,
    level=st.integers(-1, 9),
)
FLOATS = st.builds(
    Float,
    kind=st.sampled_from(["figure", "table", "box", "supplement"]),
    label=st.sampled_from(["", "Table 1", "Fig. 2.", "Box:", " "]),
    caption=TEXT,
    position=st.integers(-1, 5),
    cited=st.integers(-1, 9),
)


def lists(items: st.SearchStrategy, size: int) -> st.SearchStrategy:
    return st.lists(items, max_size=size).map(tuple)


@st.composite
def records(draw: st.DrawFn, number: int) -> Record:
    kind = draw(st.sampled_from(list(Kind)))
    pubmed = kind in (Kind.CITATION, Kind.BOOK, Kind.DELETION)
    part = 2 if kind is Kind.SUB_ARTICLE else 0
    return Record(
        doc_id=pubmed_doc_id(number) if pubmed else pmc_doc_id(number, 3, part),
        source=Source.PUBMED if pubmed else Source.PMC,
        kind=kind,
        pmid=number if pubmed else draw(st.sampled_from([None, 5])),
        pmcid=draw(st.sampled_from([None, 7])) if pubmed else number,
        version=1 if pubmed else 3,
        title=draw(TEXT),
        vernacular_title=draw(TEXT),
        abstracts=draw(lists(PARTS, 3)),
        copyright=draw(st.sampled_from(["", "© 2019 Elsevier", "licensed under CC BY 4.0"])),
        body=() if pubmed else draw(lists(BLOCKS, 9)),
        floats=() if pubmed else draw(lists(FLOATS, 4)),
        publication_types=draw(lists(st.sampled_from(["Journal Article", "Published Erratum", "Review"]), 2)),
        article_type=draw(st.sampled_from(["", "research-article", "correction"])),
        license=draw(st.sampled_from(["", "CC-BY-4.0", "CC-BY-NC-4.0"])),
        retracted=draw(st.booleans()),
        ocr=draw(st.booleans()),
        text_language=draw(st.sampled_from(["", "en", "de"])),
        mesh=draw(lists(st.sampled_from(["Animals", "Humans"]), 2)),
        manuscript=draw(st.booleans()),
        title_language=draw(st.sampled_from(["", "en"])),
        file=draw(st.sampled_from(["a.xml", "b.xml"])),
        position=draw(st.integers(0, 9)),
    )


BATCHES = st.integers(0, 6).flatmap(lambda size: st.tuples(*(records(number) for number in range(1, size + 1))))
CONFIGS = st.builds(
    AssembleConfig,
    floats=st.sampled_from(["figures", "captions", "none", "tables"]),
    without_sections=st.sampled_from([(), (), ("methods", "introduction")]),
    ethics=st.sampled_from(["drop", "keep"]),
    abbreviations=st.sampled_from(["drop", "keep"]),
    min_words=st.integers(0, 6),
    notice_words=st.integers(0, 6),
    languages=st.sampled_from([(), ("en",)]),
    retracted=st.sampled_from(["drop", "tag", "keep"]),
    ocr=st.sampled_from(["drop", "keep"]),
    sub_articles=st.sampled_from(["drop", "keep"]),
    license=st.sampled_from(["any", "open", "commercial"]),
)


def as_batch(rows: tuple[Record, ...] | list[Record]) -> pa.RecordBatch:
    table = to_table(rows, Record).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
