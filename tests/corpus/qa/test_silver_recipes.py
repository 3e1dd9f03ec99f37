"""Recipes of silver questions: a title is asked in its own words, the conclusion is the answer and nothing else."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from corpus.qa.silver.candidate import Candidate, SilverDrop, SilverKind
from corpus.qa.silver.recipes import Paper, make_candidate, paper_of
from corpus.qa.silver.statements import statement_question
from corpus.records import AbstractPart, Kind
from tests.support.silver_corpus import FILLER, paper

STATED = [
    ("Aspirin is associated with asthma in adults", "Is aspirin associated with asthma in adults?", True),
    ("Vitamin D does not prevent falls: a randomised trial", "Does vitamin D prevent falls?", False),
    ("Levels of IL-6 are not raised by exercise", "Are levels of IL-6 raised by exercise?", False),
    ("BRCA1 is required for repair", "Is BRCA1 required for repair?", True),
    ("The drug cannot cross the membrane", "Can the drug cross the membrane?", False),
    ("Telemedicine can replace visits – a pilot study", "Can telemedicine replace visits?", True),
    ("Mice do not dream of sheep", "Do mice dream of sheep?", False),
    ("Alzheimer disease is common in Down syndrome", "Is Alzheimer disease common in Down syndrome?", True),
]  # fmt: skip
UNSTATED = [
    "Evidence suggests aspirin is harmful in adults",  # two verbs
    "In adults, aspirin is associated with asthma",  # the subject comes second
    "Genes that are expressed in mice",  # a relative clause
    "There is no difference between drugs",
    "Aspirin is no better than placebo",  # a negation that would have to be taken out of the rest
    "Aspirin is safe and ibuprofen is not",  # two clauses
    "Is aspirin safe in adults?",
    "Asthma: aspirin is a common cause of it",  # stated behind a heading
    "Aspirin and is it safe for all",
    "Why aspirin is harmful to some",
    "Effect of aspirin on asthma",
    "This is not a title of ours",
]
ABSTRACT = "We gave aspirin, and vitamin D, to mice; telemedicine had levels."


@pytest.mark.parametrize(("title", "asked", "affirmed"), STATED)
def test_statements_are_asked_in_their_own_words(title: str, asked: str, affirmed: bool) -> None:
    assert statement_question(title, ABSTRACT) == (asked, affirmed)


@pytest.mark.parametrize("title", UNSTATED)
def test_what_a_change_of_order_does_not_make_a_question_is_left_alone(title: str) -> None:
    assert statement_question(title, ABSTRACT) is None


def words_of(text: str) -> Counter[str]:
    """Count words, of which each holds a letter or digit: a title is cut at a colon, and of "::" one stays."""
    words = text.casefold().replace("cannot", "can not").split()
    return Counter(word.rstrip(".!:") for word in words if any(map(str.isalnum, word)))


WORD = st.text(st.sampled_from("abcdeé-0(),'’:?."), min_size=1, max_size=5) | st.sampled_from(
    ["is", "are", "not", "can", "cannot", "does", "do", "no", "and", "Aspirin", "that", "was", "in", "mice", "drugs"]
)


@given(st.lists(WORD, min_size=3, max_size=12).map(" ".join))
def test_a_question_has_no_word_that_its_title_has_not(title: str) -> None:
    made = statement_question(title, ABSTRACT)
    if made is None:
        return
    assert not words_of(made.text[:-1]) - words_of(title)
    assert made.text[-1] == "?"
    assert made.text.count("?") == 1
    assert made.affirmed or "not" in words_of(title)
    assert not {"not", "no", "cannot"} & set(made.text.casefold().split())


def made_of(title: str, **more: str) -> Paper:
    found = paper_of(paper(7, title, **more), "pmid:7")
    assert isinstance(found, Paper)
    return found


def test_a_title_that_asks_is_answered_by_the_conclusion() -> None:
    one = make_candidate(made_of("[Is aspirin safe in adults? A trial.]", conclusion="It is."), SilverKind.CONCLUSION,
                         seed=0)  # fmt: skip
    assert isinstance(one, Candidate)
    assert (one.text, one.answer, one.subject) == ("Is aspirin safe in adults?", "It is.", "yes-no")
    assert one.context == f"{FILLER} number 7 of all. {FILLER} in year 7."
    assert "It is." not in one.context
    other = make_candidate(made_of("Which drug or drugs are safe?", conclusion="None."), SilverKind.CONCLUSION, seed=0)
    assert isinstance(other, Candidate)
    assert other.subject == "open"


@pytest.mark.parametrize(
    ("title", "conclusion", "kind", "reason"),
    [
        ("Aspirin in adults and children", "It is.", "conclusion", SilverDrop.NO_QUESTION),
        ("Is aspirin safe? And is it cheap?", "It is.", "conclusion", SilverDrop.NO_QUESTION),
        ("Really?", "It is.", "conclusion", SilverDrop.NO_QUESTION),
        ("Is aspirin safe in adults?", "", "conclusion", SilverDrop.NO_CONCLUSION),
        ("Is aspirin safe in adults? Study protocol", "In May.", "conclusion", SilverDrop.PROTOCOL),
        ("Aspirin is safe in adults", "", "statement", SilverDrop.NO_CONCLUSION),
        ("Aspirin in adults and children", "It is.", "statement", SilverDrop.NO_STATEMENT),
        ("Aspirin in adults", "It is.", "title", SilverDrop.TITLE_TOO_SHORT),
        (" ".join(FILLER.split()[:8]), "It is.", "title", SilverDrop.TITLE_IN_ABSTRACT),
    ],
)
def test_papers_that_give_nothing_say_why(title: str, conclusion: str, kind: str, reason: SilverDrop) -> None:
    assert make_candidate(made_of(title, conclusion=conclusion), SilverKind(kind), seed=0) == reason


def test_records_that_are_no_papers_say_why() -> None:
    one = paper(1, "A title of some words.", conclusion="Yes.")
    for changes, reason in (
        ({"kind": Kind.BOOK}, SilverDrop.NO_PAPER),
        ({"title": " . "}, SilverDrop.NO_TITLE),
        ({"title_language": "fr"}, SilverDrop.NO_TITLE),
        ({"abstracts": ()}, SilverDrop.NO_ABSTRACT),
    ):
        assert paper_of(structs.replace(one, **changes), "pmid:1") == reason
    short = structs.replace(one, title="A title of five words", abstracts=(AbstractPart(text="Short."),))
    found = paper_of(short, "pmid:1")
    assert isinstance(found, Paper)
    assert make_candidate(found, SilverKind.TITLE, seed=0) == SilverDrop.ABSTRACT_TOO_SHORT
    mixed = (AbstractPart(label="RESULTS AND CONCLUSIONS", category="RESULTS", text="All of it."),)
    first = (AbstractPart(label="CONCLUSION", text="It is so."), AbstractPart(label="NOTES", text="It was."))
    for parts, reason in ((mixed, SilverDrop.NO_CONCLUSION), (first, SilverDrop.NO_CONTEXT)):
        found = paper_of(structs.replace(one, title="Is aspirin safe in adults?", abstracts=parts), "pmid:1")
        assert isinstance(found, Paper)
        assert make_candidate(found, SilverKind.CONCLUSION, seed=0) == reason
