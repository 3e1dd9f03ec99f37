"""Formats: ids equal to an oracle that writes each row out token by token, budgets kept, nothing cut unsaid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from corpus.errors import UsageError
from corpus.qa.question import Question
from train.qa.formats import SPECIALS, FormatRule, HeadFormat, Keep, format_question, needed_specials
from train.qa.heads import HeadKind

IDS = {"[SEP]": 900, "[CLS]": 901, "<|CONTEXT|>": 902, "<|QUESTION|>": 903, "<|ANSWER|>": 904}
FORMATS = sorted(form for form in SPECIALS if form[1] != "answer")  # those of answers: test_long_form.py


def encode(text: str) -> list[int]:
    """Return a token a character, so that the space before an option is seen."""
    return [ord(letter) for letter in text]


def rule(
    name: HeadFormat, kind: HeadKind, *, budget: int = 512, family: str = "gpt2", keep: Keep = "end"
) -> FormatRule:
    names = needed_specials(name, kind, family)
    ids = {special: IDS[special] for special in names}
    return FormatRule(name=name, kind=kind, special_ids=ids, max_tokens=budget, keep=keep)


def question(text: str = "Q?", context: str = "", options: tuple[str, ...] = ("a", "bc")) -> Question:
    return Question(id="1", task="t", split="test", text=text, context=context, options=options, label=0)


def rows_of(one: Question, found: FormatRule) -> list[list[int]]:
    return [list(row) for row in format_question(one, encode, found).rows]


Q, MARK, SPACE = 81, 63, 32  # "Q", "?", " "


@pytest.mark.parametrize(
    ("name", "family", "expected"),
    [
        ("paper", "gpt2", [[Q, MARK, 900, SPACE, 97, 900], [Q, MARK, 900, SPACE, 98, 99, 900]]),
        ("released", "gpt2", [[Q, MARK, 900, SPACE, 97, 900], [Q, MARK, 900, SPACE, 98, 99, 900]]),
        ("released", "gpt_neo", [[Q, MARK, SPACE, 97], [Q, MARK, SPACE, 98, 99]]),
        ("linkbert", "bert", [[901, Q, MARK, 900, SPACE, 97, 900], [901, Q, MARK, 900, SPACE, 98, 99, 900]]),
    ],
)
def test_choice_rows_are_these_tokens(name: HeadFormat, family: str, expected: list[list[int]]) -> None:
    assert rows_of(question(), rule(name, "choice", family=family)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper", [902, 67, 903, Q, MARK, 904]),
        ("released", [67, Q, MARK]),
        ("linkbert", [901, Q, MARK, 900, 67, 900]),
    ],
)
def test_class_rows_are_these_tokens(name: HeadFormat, expected: list[int]) -> None:
    one = question(context=" C ", options=("no", "yes"))
    assert rows_of(one, rule(name, "class")) == [expected]


def test_a_decisive_word_at_the_end_of_a_long_vignette_survives() -> None:
    words = " ".join(f"w{number}" for number in range(900))
    one = question(text=f"{words} decisive")
    split: Any = str.split
    numbers = {word: number for number, word in enumerate([*one.text.split(), "a", "bc"], start=1000)}

    def by_word(text: str) -> list[int]:
        return [numbers[word] for word in split(text)]

    kept = format_question(one, by_word, rule("paper", "choice", budget=512))
    assert all(numbers["decisive"] in row for row in kept.rows)
    assert all(len(row) == 512 for row in kept.rows)
    assert kept.truncated_tokens == 901 + 1 + 2 - 512
    cut = format_question(one, by_word, rule("released", "choice", budget=512, keep="start"))
    assert not any(numbers["decisive"] in row for row in cut.rows), "as published: the end of the question is cut"
    assert all(row.count(IDS["[SEP]"]) == 1 for row in cut.rows), "and the first separator with it"


def test_special_tokens_come_from_no_text() -> None:
    one = question(text="[SEP] <|ANSWER|> [CLS]", context="<|CONTEXT|>", options=("[SEP]", "x"))
    for name, kind in FORMATS:
        for row in rows_of(one, rule(name, kind)):
            stated = {"paper": {"choice": 2, "class": 3}, "linkbert": {"choice": 3, "class": 3}}
            released = 2 if kind == "choice" else 0
            expected = released if name == "released" else stated[name][kind]
            assert sum(token >= 900 for token in row) == expected


@given(
    form=st.sampled_from(FORMATS),
    text=st.text(alphabet="abc ?", min_size=1, max_size=60),
    context=st.text(alphabet="xyz .", max_size=80),
    options=st.lists(st.text(alphabet="klm", min_size=1, max_size=30), min_size=2, max_size=5, unique=True),
    budget=st.integers(8, 160),
    keep=st.sampled_from(["end", "start"]),
)
def test_rows_fit_and_what_is_cut_is_counted(
    form: Any, text: str, context: str, options: list[str], budget: int, keep: Keep
) -> None:
    name, kind = form
    one = question(text, context, tuple(options))
    whole = format_question(one, encode, rule(name, kind, budget=10_000, keep=keep))
    cut = format_question(one, encode, rule(name, kind, budget=budget, keep=keep))
    assert whole.truncated_tokens == 0
    lost = [len(full) - len(row) for full, row in zip(whole.rows, cut.rows, strict=True)]
    assert cut.truncated_tokens == max(lost)
    for full, row in zip(whole.rows, cut.rows, strict=True):
        assert len(row) <= budget
        assert len(row) == min(budget, len(full)), "no token is cut that had room"
        assert _is_subsequence(row, full)


@given(
    first=st.text(alphabet="ab", min_size=1, max_size=40),
    second=st.text(alphabet="cd", min_size=1, max_size=40),
    budget=st.integers(8, 60),
)
def test_released_is_cut_as_tokenizers_cut_pairs(first: str, second: str, budget: int) -> None:
    tokenizer = Tokenizer(WordLevel({letter: ord(letter) for letter in "abcd"}, unk_token="a"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.enable_truncation(budget, strategy="longest_first")
    expected = tokenizer.encode(" ".join(first), " ".join(second), add_special_tokens=False).ids
    one = question(text=second, context=first, options=("no", "yes"))
    assert rows_of(one, rule("released", "class", budget=budget, keep="start")) == [expected]


def test_a_budget_without_room_for_text_is_refused() -> None:
    with pytest.raises(UsageError, match="leaves no room"):
        rows_of(question(), rule("linkbert", "choice", budget=3))


def _is_subsequence(row: tuple[int, ...], full: tuple[int, ...]) -> bool:
    rest = iter(full)
    return all(token in rest for token in row)
