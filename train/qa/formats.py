"""Formats: a question to the rows of ids that a head reads, by the names of who published them.

    paper      choice: question [SEP] " option" [SEP], a row an option
               class:  <|CONTEXT|> context <|QUESTION|> question <|ANSWER|>, one row
    released   what BioMedLM's published scripts did: choice as above, but GPT-Neo without any separator, and cut from
               the end of the question, its [SEP] with it; class: context and question with nothing between
    linkbert   choice: [CLS] question [SEP] " option" [SEP]; class: [CLS] question [SEP] context [SEP]
    answer     of long form, in paper and released: question <|startoftext|> answer <|endoftext|>, the context before
               the question; each text has half of the budget. An answer that is cut has no end in paper: a model
               would learn to stop in the middle of a sentence; released ends it too

Special tokens are placed by id and can come from no text. What does not fit is cut in one place, `_fit`: in `paper`
and `linkbert` from the beginning of the context, then of the question, so that the end of a vignette, where it asks,
stays; in `released` token by token from the end of the longer of the two texts. `keep` turns either round.
Of an option tokens are cut only when it alone is too long, from its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from corpus.errors import UsageError
from corpus.qa.question import Question
from train.qa.heads import HeadKind

HeadFormat = Literal["paper", "released", "linkbert"]
Keep = Literal["end", "start"]
Encode = Callable[[str], list[int]]

END = "<|endoftext|>"  # the model's own end of a text
SPECIALS: dict[tuple[HeadFormat, HeadKind], tuple[str, ...]] = {
    ("paper", "choice"): ("[SEP]",),
    ("paper", "class"): ("<|CONTEXT|>", "<|QUESTION|>", "<|ANSWER|>"),
    ("released", "choice"): ("[SEP]",),
    ("released", "class"): (),
    ("linkbert", "choice"): ("[CLS]", "[SEP]"),
    ("linkbert", "class"): ("[CLS]", "[SEP]"),
    ("paper", "answer"): ("<|startoftext|>", END),
    ("released", "answer"): ("<|startoftext|>", END),
}  # the special tokens of a format, in the order in which new ids are given
UNSEPARATED = ("gpt_neo",)  # families to which the released scripts gave no separator


@dataclass(frozen=True, kw_only=True, slots=True)
class FormatRule:
    """How questions become rows: a format with its special tokens' ids and its budget."""

    name: HeadFormat
    kind: HeadKind
    special_ids: dict[str, int]  # by the token's name; without a separator where the format has none
    max_tokens: int  # in a row, special tokens with them
    keep: Keep  # which end of a text stays when it is cut


@dataclass(frozen=True, kw_only=True, slots=True)
class FormattedQuestion:
    """A question as rows of ids."""

    question: Question
    rows: tuple[tuple[int, ...], ...]
    truncated_tokens: int  # cut away, of the row that lost most [tokens]
    answer_tokens: int = 0  # of long form: ids of the answer and its end, the last of the row


def needed_specials(name: HeadFormat, kind: HeadKind, model_type: str) -> tuple[str, ...]:
    """Return the names of the special tokens that a format puts into rows of a family of models."""
    if name == "released" and model_type in UNSEPARATED:
        return ()
    return SPECIALS[name, kind]


def format_question(question: Question, encode: Encode, rule: FormatRule) -> FormattedQuestion:
    """Return a question as rows of ids: one an option of a choice, one alone of a class task.

    Raises UsageError when the budget is too small for any text.
    """
    if rule.kind == "answer":
        return _long_form(question, encode, rule)
    context, text = encode(_joined(question.context)), encode(question.text)
    if rule.kind == "class":
        found = [_class_row(context, text, rule)]
    else:
        vignette = encode(_with_context(question)) if question.context else text
        found = [_choice_row(vignette, encode(f" {option}"), rule) for option in question.options]
    return FormattedQuestion(
        question=question,
        rows=tuple(tuple(row) for row, _ in found),
        truncated_tokens=max(cut for _, cut in found),
    )


def _joined(context: str) -> str:
    return context.strip()


def _with_context(question: Question) -> str:
    """Return the text of a multiple-choice question that comes with a context: the context first."""
    return f"{question.context.strip()} {question.text}"


def asked_ids(question: Question, encode: Encode, rule: FormatRule) -> tuple[list[int], int]:
    """Return the ids behind which a model of long form writes its answer, and the number that was cut."""
    text = encode(_with_context(question) if question.context else question.text)
    (kept,), cut = _fit([text], _half(rule), rule)
    return [*kept, rule.special_ids["<|startoftext|>"]], cut


def _half(rule: FormatRule) -> int:
    """Return the tokens that a question, and those that its answer may have: 510 of a budget of 1,022."""
    return (rule.max_tokens - 2) // 2


def _long_form(question: Question, encode: Encode, rule: FormatRule) -> FormattedQuestion:
    asked, cut = asked_ids(question, encode, rule)
    answer = encode(question.answer)
    kept = answer[: _half(rule)]
    ended = len(kept) == len(answer) or rule.name == "released"
    learnt = [*kept, *([rule.special_ids[END]] if ended else [])]
    return FormattedQuestion(
        question=question,
        rows=((*asked, *learnt),),
        truncated_tokens=cut + len(answer) - len(kept),
        answer_tokens=len(learnt),
    )


def _choice_row(vignette: list[int], option: list[int], rule: FormatRule) -> tuple[list[int], int]:
    """Return the row of one option, and the number of tokens that were cut."""
    sep = [rule.special_ids["[SEP]"]] if "[SEP]" in rule.special_ids else []
    if rule.name == "released":
        first, second = vignette + sep, option + sep  # the separator is part of the text that is cut
        kept = _longest_first(first, second, rule.max_tokens, rule.keep)
        return kept[0] + kept[1], len(first) + len(second) - len(kept[0]) - len(kept[1])
    before = [rule.special_ids["[CLS]"]] if rule.name == "linkbert" else []
    room = rule.max_tokens - len(before) - 2 * len(sep)
    (vignette, option), cut = _fit([vignette, option], room, rule)
    return before + vignette + sep + option + sep, cut


def _class_row(context: list[int], text: list[int], rule: FormatRule) -> tuple[list[int], int]:
    """Return the row of a question of a class task, and the number of tokens that were cut."""
    ids = rule.special_ids
    if rule.name == "released":
        kept = _longest_first(context, text, rule.max_tokens, rule.keep)
        return kept[0] + kept[1], len(context) + len(text) - len(kept[0]) - len(kept[1])
    (context, text), cut = _fit([context, text], rule.max_tokens - 3, rule)
    if rule.name == "linkbert":
        return [ids["[CLS]"], *text, ids["[SEP]"], *context, ids["[SEP]"]], cut
    return [ids["<|CONTEXT|>"], *context, ids["<|QUESTION|>"], *text, ids["<|ANSWER|>"]], cut


def _fit(parts: Sequence[list[int]], room: int, rule: FormatRule) -> tuple[list[list[int]], int]:
    """Return a row's texts cut to `room` tokens together, the first first, and how many were cut."""
    if room < 1:
        raise UsageError(f"max_tokens {rule.max_tokens} leaves no room for text beside special tokens; give more")
    total = sum(map(len, parts))
    excess = max(0, total - room)
    kept = []
    for number, part in enumerate(parts):
        gone = min(excess, len(part))
        excess -= gone
        from_end = rule.keep == "start" or (rule.kind == "choice" and number == 1)
        kept.append(part[: len(part) - gone] if from_end else part[gone:])
    return kept, total - sum(map(len, kept))


def _longest_first(first: list[int], second: list[int], room: int, keep: Keep) -> tuple[list[int], list[int]]:
    """Return two texts of at most `room` tokens together, cut as `tokenizers` does by its "longest first".

    The longer loses until both are as long; then each has half, the odd token is the longer one's.
    """
    short, long = sorted((len(first), len(second)))
    if short + long > room:
        long = max(short, room - short)
    if short + long > room:
        short, long = room // 2, room - room // 2
    lengths = (long, short) if len(first) > len(second) else (short, long)
    return _kept(first, lengths[0], keep), _kept(second, lengths[1], keep)


def _kept(ids: list[int], length: int, keep: Keep) -> list[int]:
    return ids[:length] if keep == "start" else ids[len(ids) - length :]
