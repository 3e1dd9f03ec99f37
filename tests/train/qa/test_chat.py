"""Choices read from what models say: stated ones are found, and nothing is read where two or none are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.qa.question import Question
from train.qa.chat import chat_turns, read_choice

OPTIONS = ("T cells", "B cells", "Liver", "Vitamin C")


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ("C", 2),
        (" (c). ", 2),
        ("**C**", 2),
        ("C. Liver", 2),
        ("C) liver.", 2),
        ("Answer: C", 2),
        ("The answer is C.", 2),
        ("The correct answer is **C**.", 2),
        ("The correct option is: (C) Liver", 2),
        ("The answer is C because bile is made there.", 2),
        ("A) is wrong, for T cells … \nThe right answer is C.", 2),
        ("Bile is made there.\n\n\\boxed{C}", 2),
        ("liver", 2),
        ("Vitamin C", 3),
        ("C. ", 2),
        ("", None),
        ("I cannot help with medical questions.", None),
        ("The answer is B cells", None),  # and which letter that is, the model did not say
        ("The answer is A patient's liver", None),
        ("The answer is C or D.", None),
        ("The answer is (C) or (D).", None),
        ("Answer: C, D", None),
        ("Answer: C and D", None),
        ("Answer: C/D", None),
        ("The answer is not C.", None),
        ("The answer is C. No, the answer is D.", None),
        ("Answer: E", None),
        ("E", None),
        ("A. T cells\nB. B cells\nC. Liver\nD. Vitamin C", None),
        ("B. Liver", None),  # the letter of one, the text of another
        ("C is wrong", None),
        ("Blood", None),
    ],
)
def test_letters_are_read_where_they_are_stated(said: str, choice: int | None) -> None:
    assert read_choice(said, OPTIONS) == choice


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ("yes", 2),
        ("Yes.", 2),
        ("**No**", 1),
        ("Maybe, for the trial was small.", 0),
        ("No, it is not so.", 1),
        ("The answer is yes.", 2),
        ("Answer: maybe", 0),
        ("Yes and no.", None),
        ("Yes, no or maybe?", None),
        ("No doubt that it does.", None),
        ("The answer is yes or no.", None),
        ("It depends.", None),
        ("Yesterday", None),
    ],
)
def test_labels_are_read_where_they_are_stated(said: str, choice: int | None) -> None:
    assert read_choice(said, ("maybe", "no", "yes"), labels=True) == choice


words = st.text(st.characters(codec="utf-8"), max_size=60)


@given(words, st.integers(0, 3))
def test_any_words_are_read_or_not_but_never_fail(said: str, place: int) -> None:
    assert read_choice(said, OPTIONS) in (None, 0, 1, 2, 3)
    assert read_choice(f"Answer: {'ABCD'[place]}", OPTIONS) == place
    assert read_choice(OPTIONS[place].upper(), OPTIONS) == place


@given(st.permutations(range(4)).map(lambda order: order[:2]))
def test_two_choices_are_none(two: list[int]) -> None:
    first, second = ("ABCD"[number] for number in two)
    for said in (
        f"{first} or {second}",
        f"Answer: {first}. Answer: {second}.",
        f"{first}\n{second}",
        f"{first}{second}",
    ):
        assert read_choice(said, OPTIONS) is None


def test_questions_are_these_turns() -> None:
    one = Question(id="1", task="t", split="test", text="Which?", context=" C ", options=("liver", "lung"), label=1)
    example = Question(id="2", task="t", split="train", text="Where?", options=("a", "b"), label=0)
    assert chat_turns(one, examples=[example]) == [
        {
            "role": "user",
            "content": "Question: Where?\nA. a\nB. b\nAnswer with the letter of the right option alone: A or B.",
        },
        {"role": "assistant", "content": "A"},
        {
            "role": "user",
            "content": "Abstract: C\nQuestion: Which?\nA. liver\nB. lung\n"
            "Answer with the letter of the right option alone: A or B.",
        },
    ]
    labelled = Question(id="3", task="p", split="test", text="Q?", options=("maybe", "no", "yes"), label=1)
    assert chat_turns(labelled, labels=True)[0]["content"] == (
        "Question: Q?\nAnswer with one of these words alone: maybe, no or yes."
    )
