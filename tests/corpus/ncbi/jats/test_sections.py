"""What `sec-type` says that a section is, and which abstract is the main one."""

import pytest

from corpus.ncbi.jats.sections import split_keywords
from tests.support.jats_samples import jats, read


def sections(*pairs: tuple[str, str]) -> str:
    return "".join(f'<sec sec-type="{kind}">{content}</sec>' for kind, content in pairs)


def test_sections_go_where_their_type_says() -> None:
    body = sections(
        ("results", "<title>Results</title><p>Text.</p>"),
        (
            "ack",
            "<title>Thanks</title><p>To all.</p><sec sec-type='fn-group'><fn-group><fn><p>N.</p></fn></fn-group></sec>",
        ),
        ("COI-statement", "<title>Interests</title><p>None.</p>"),
        ("data-availability-statement", "<title>Data</title><p>On request.</p>"),
        ("history", "<p>Received 2026.</p>"),
        ("contrib-info", "<title>Contributors</title><p>A, a@x.org.</p>"),
        ("fn-group", "<title>Endnotes</title><fn-group><fn><p>One.</p></fn><fn><p>Two.</p></fn></fn-group>"),
        ("ref-list", "<title>References</title><sec><ref-list><ref id='r'>R</ref></ref-list></sec>"),
        ("associated-data", "<title>More</title><sec sec-type='data-availability'><p>On request.</p></sec>"),
        ("kwd-group", "<p><bold>Keywords:</bold> goat, hay</p>"),
    )
    record = read(jats(body=body))
    assert [block.text for block in record.body] == ["Results", "Text."]
    assert [(part.kind, part.title, part.text) for part in record.back] == [
        ("ack", "Thanks", "To all."),
        ("footnote", "", "N."),
        ("coi-statement", "Interests", "None."),
        ("data-availability", "Data", "On request."),
        ("footnote", "Endnotes", "One."),
        ("footnote", "Endnotes", "Two."),
    ]
    assert record.keywords == ("goat", "hay")
    counted = {account.name: account.characters for account in record.accounts}
    assert counted["body"] == len("ResultsText.")
    assert counted["duplicate_forms"] == len("MoreOnrequest.")
    assert "unread" not in counted


def test_keywords_inside_an_abstract_are_keywords_once() -> None:
    groups = "<kwd-group><kwd>goat</kwd></kwd-group>"
    abstract = "<abstract><p>We fed goats.</p><sec sec-type='kwd-group'><p>KEYWORDS goat; hay, dry</p></sec></abstract>"
    record = read(jats(meta=abstract + groups))
    assert record.keywords == ("goat", "hay, dry")
    assert [part.text for part in record.abstracts] == ["We fed goats."]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Keywords: a, b c", ["a", "b c"]),
        ("Key words and phrases — a; b, c", ["a", "b, c"]),
        ("a • b", ["a", "b"]),
        ("Keyword", []),
    ],
)
def test_a_line_of_keywords(line: str, words: list[str]) -> None:
    assert split_keywords(line) == words


PROSE = "Rates fell in all groups of goats that we had fed on hay."
LONG = "Rates fell in all groups. They rose again in the winter, when hay was dear and goats were thin."


def abstract(content: str, kind: str = "", language: str = "", name: str = "abstract") -> str:
    stated = (f" abstract-type='{kind}'" if kind else "") + (f" xml:lang='{language}'" if language else "")
    return f"<{name}{stated}><p>{content}</p></{name}>"


@pytest.mark.parametrize(
    ("meta", "main"),
    [
        (abstract(PROSE, "structured"), PROSE),
        (abstract(PROSE, "key-points") + abstract(LONG, "Executive Summary"), LONG),
        (abstract(LONG, "key-points") + abstract(PROSE), PROSE),
        (abstract("") + abstract(PROSE, "summary"), PROSE),
        (abstract(PROSE, "teaser"), ""),
        (abstract(LONG, "web-summary") + abstract(PROSE, "toc"), ""),
        (abstract("A picture.", "graphical") + abstract("Short.", "lay-summary"), "Short."),
        (abstract(LONG, "graphical"), LONG),
        (abstract("An image of all", "visual"), ""),
        (abstract(PROSE, language="en") + abstract(LONG, language="fr"), PROSE),
        (abstract(LONG, language="fr") + abstract(PROSE, language="en-GB"), PROSE),
        (abstract(LONG, language="fr"), LONG),
        (abstract(LONG, language="es", name="trans-abstract"), ""),
        (abstract(PROSE, language="eng", name="trans-abstract"), PROSE),
        (abstract(LONG, language="fr") + abstract(PROSE, language="en", name="trans-abstract"), PROSE),
        (abstract(PROSE) + abstract(LONG, language="en", name="trans-abstract"), PROSE),
    ],
)
def test_the_main_abstract_is_decided_by_what_there_is(meta: str, main: str) -> None:
    parts = read(jats(meta=meta)).abstracts
    assert " ".join(part.text for part in parts if part.type == "main") == main
    assert all(text in {part.text for part in parts} for text in (PROSE, LONG) if text in meta)


def test_an_article_in_another_language_keeps_its_own_abstract() -> None:
    both = abstract(LONG) + abstract(PROSE, language="en", name="trans-abstract")
    with_body = read(jats(meta=both, body="<p>Les taux.</p>", attributes="xml:lang='fr'"))
    assert [part.type for part in with_body.abstracts] == ["main", "trans-abstract"]
    without = read(jats(meta=both, attributes="xml:lang='fr'"))
    assert [part.type for part in without.abstracts] == ["trans-abstract", "main"]


def test_labels_of_an_abstract_lose_what_closes_them_and_its_end_the_notice() -> None:
    texts = {
        "Background.": "We ask.",
        "What is known? ": "Little.",
        "Aims :": "Goats climb. © 2018 The Authors. Goats published by John Wiley &amp; Sons Ltd.",
    }
    parts = "".join(f"<sec><title>{title}</title><p>{text}</p></sec>" for title, text in texts.items())
    record = read(jats(meta=f"<abstract>{parts}</abstract>"))
    assert [(part.label, part.text) for part in record.abstracts] == [
        ("Background", "We ask."),
        ("What is known?", "Little."),
        ("Aims", "Goats climb."),
    ]


def test_a_lay_summary_stands_for_the_abstract_only_when_nothing_else_does() -> None:
    text = "Goats are good climbers, and we know why they are."
    lay = f'<abstract abstract-type="plain-language-summary"><p>{text}</p></abstract>'
    other = '<abstract abstract-type="executive-summary"><p>Goats climb.</p></abstract>'
    assert [part.type for part in read(jats(meta=lay + other)).abstracts] == ["plain-language-summary", "main"]
    assert [part.type for part in read(jats(meta=lay)).abstracts] == ["main"]
