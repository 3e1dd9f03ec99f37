"""Report of written answers: did they end, how long, how much repeats, how near the references, what is copied, and
which numbers nothing that was given holds. No torch here.

ROUGE-L (Lin 2004) is the F-measure over the longest common subsequence of words, which are runs of a-z and 0-9 in lower
case, as Google's `rouge_score` has it. distinct-n (Li et al. 2016) is distinct runs of n words over all. A score near
references is secondary: none of these numbers says that an answer is right.
"""

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

from corpus.qa.question import Question
from train.qa.context import Evidence
from train.qa.writing import WrittenAnswer

COPY_WORDS = 8  # in a row, from which words are copied rather than met again
_WORD = re.compile(r"[a-z0-9]+")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswersReport:
    """Numbers of the answers to a set; shares are in [0, 1], None where there is nothing to compare with."""

    answers: int  # of the set
    ended: float  # share that the end token ended
    empty: float  # share without a word: the end token came first
    tokens: float  # mean of an answer [tokens]
    words: float  # median of an answer [words]
    distinct_1: float  # distinct words over words
    distinct_2: float  # of pairs of words
    distinct_4: float  # of runs of four
    same: float  # share of answers that another question was given too
    rouge_l: float | None  # mean over the questions that have a reference
    reference_words: float | None  # median of a reference [words]
    copied: float | None  # share of runs of eight words that an answer to train on has
    copied_whole: float | None  # share of answers that are an answer to train on, word for word
    numbers: int  # in all answers
    numbers_found: int | None  # of them, those that only the corpus's passages for the question hold; None without
    numbers_not_given: int  # of them, those that neither question, context nor passages hold
    not_given: Mapping[str, tuple[str, ...]]  # those numbers by question id, of the first questions that have some


def report_answers(
    answers: Sequence[WrittenAnswer],
    questions: Sequence[Question],
    trained: Iterable[str],
    *,
    evidence: Iterable[Evidence] | None = None,
    shown: int = 20,
) -> AnswersReport:
    """Return the report of answers to questions, one for one.

    trained: the answers that the model learnt; evidence: passages of a corpus for the questions, None without a corpus.
    """
    assert answers, "there is an answer for each question"
    words = [words_of(one.answer) for one in answers]
    scores = [rouge_l(one.answer, asked.answer) for one, asked in zip(answers, questions, strict=True) if asked.answer]
    references = [len(words_of(one.answer)) for one in questions if one.answer]
    loose = _loose(answers, questions, _by_question(evidence or ()))
    alone = sum(map(len, _loose(answers, questions, {}).values()))
    known = [words_of(text) for text in trained]
    texts = [" ".join(own) for own in words]
    return AnswersReport(
        answers=len(answers),
        ended=statistics.fmean(one.ended for one in answers),
        empty=statistics.fmean(not own for own in words),
        tokens=statistics.fmean(one.tokens for one in answers),
        words=statistics.median(map(len, words)),
        distinct_1=distinct(words, 1),
        distinct_2=distinct(words, 2),
        distinct_4=distinct(words, 4),
        same=1 - len(set(texts)) / len(texts),
        rouge_l=statistics.fmean(scores) if scores else None,
        reference_words=statistics.median(references) if references else None,
        copied=copied_share(words, known) if known else None,
        copied_whole=_share_whole(texts, known) if known else None,
        numbers=sum(len(_NUMBER.findall(one.answer)) for one in answers),
        numbers_found=None if evidence is None else alone - sum(map(len, loose.values())),
        numbers_not_given=sum(map(len, loose.values())),
        not_given=dict([(own, tuple(numbers)) for own, numbers in loose.items() if numbers][:shown]),
    )


def words_of(text: str) -> list[str]:
    """Return the words of a text as `rouge_score` tells them."""
    return _WORD.findall(text.lower())


def rouge_l(answer: str, reference: str) -> float:
    """Return ROUGE-L, the F-measure, of an answer against a reference; 0 where one of them has no word."""
    own, wanted = words_of(answer), words_of(reference)
    if not own or not wanted:
        return 0.0
    return 2 * LCSseq.similarity(own, wanted) / (len(own) + len(wanted))


def distinct(texts: Iterable[Sequence[str]], size: int) -> float:
    """Return distinct runs of so many words over all such runs of all texts; 0 without any."""
    runs = [run for words in texts for run in _runs(words, size)]
    return len(set(runs)) / len(runs) if runs else 0.0


def copied_share(texts: Iterable[Sequence[str]], known: Iterable[Sequence[str]]) -> float:
    """Return the share of the texts' runs of `COPY_WORDS` words that stand in a known text; 0 without any."""
    held = {run for words in known for run in _runs(words, COPY_WORDS)}
    runs = [run for words in texts for run in _runs(words, COPY_WORDS)]
    return sum(run in held for run in runs) / len(runs) if runs else 0.0


def numbers_not_given(answer: str, question: Question, passages: Iterable[str] = ()) -> list[str]:
    """Return the numbers of an answer, as written, that neither the question, its context nor a passage holds."""
    texts = (question.text, question.context, *passages)
    given = {_value(found) for text in texts for found in _NUMBER.findall(text)}
    return [found for found in _NUMBER.findall(answer) if _value(found) not in given]


def report_lines(report: AnswersReport) -> list[str]:
    """Return a report as lines for people."""
    lines = [
        f"{report.answers:,} answers: {100 * report.ended:.1f} % ended by the end token, "
        f"{100 * report.empty:.1f} % empty, {report.tokens:.1f} tokens in the mean, {report.words:g} words in "
        "the median",
        f"distinct words {report.distinct_1:.3f}, pairs {report.distinct_2:.3f}, runs of four {report.distinct_4:.3f}; "
        f"{100 * report.same:.1f} % were given to another question too",
    ]
    if report.rouge_l is not None:
        lines.append(f"ROUGE-L {report.rouge_l:.3f} with references of {report.reference_words:g} words in the median")
    if report.copied is not None and report.copied_whole is not None:
        lines.append(
            f"copied from answers to train on: {100 * report.copied:.1f} % of runs of {COPY_WORDS} words, "
            f"{100 * report.copied_whole:.1f} % of answers whole"
        )
    if report.numbers_found is None:
        lines.append(f"{report.numbers:,} numbers, {report.numbers_not_given:,} in neither question nor context")
    else:
        lines.append(
            f"{report.numbers:,} numbers, {report.numbers_found:,} only in passages of the corpus, "
            f"{report.numbers_not_given:,} in neither question, context nor passages"
        )
    return lines


def _loose(
    answers: Sequence[WrittenAnswer], questions: Sequence[Question], passages: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the numbers of each answer that nothing holds, by question id."""
    both = zip(answers, questions, strict=True)
    return {asked.id: numbers_not_given(one.answer, asked, passages.get(asked.id, ())) for one, asked in both}


def _by_question(evidence: Iterable[Evidence]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in evidence:
        found.setdefault(one.id, []).append(one.text)
    return found


def _share_whole(texts: Sequence[str], known: Iterable[Sequence[str]]) -> float:
    held = {" ".join(words) for words in known}
    return statistics.fmean(text in held for text in texts)


def _runs(words: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    return (tuple(words[place : place + size]) for place in range(len(words) - size + 1))


def _value(number: str) -> float:
    return float(number.replace(",", ""))
