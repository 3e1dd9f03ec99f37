"""Questions as turns of a chat, and the choice that an answer names; what names none, or two, is no choice.

The question ends with what is wanted: a letter alone, or a label alone. Models say more than that, so a choice is read
where it is stated beyond doubt: the answer is nothing but a letter, an option's text or a label; or it says "answer: C"
(the only such statement); or a line is an option as it was listed. Everything else is left unread and counted.
"""

import re
from collections.abc import Sequence

from corpus.qa.prompts import LETTERS, asked_text
from corpus.qa.question import Question

_CUE = re.compile(
    r"\b(?i:answer|choice|option)\b[*_\s]*(?i:(?:is|would be|must be|should be)\b|[:=])[\s*_:]*"
    r"(?:\\boxed\{(?:\\text\{)?)?(?:(?i:option|choice|letter)\s+)?[(\[{\"'“‘*_`]*(?P<name>[^\W\d_]+)"
)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?\s*\(?(?P<name>[^\W\d_]+)")
# What may stand behind a stated choice. "B cells" and "A patient" are no letters; "C or D" is not one answer.
_ENDS = re.compile(r"[)\]]|[*_`\"'’”)\]}]*\s*(?:$|[.;:!\n(–—-]|,\s+(?:because|since|as)\b|(?:because|since|as)\b)")
_MORE = re.compile(r"[*_`\"'’”)\]}.\s]*(?:(?:or|and|nor)\b|[/&+,]\s*\(?[A-Z]\b)")
_LISTED = re.compile(r"^[\s*_(\[]*(?P<name>[A-Z])[*_]*(?:[.):\]]|\s[-–—])[*_]*\s*(?P<text>.*?)\s*$", re.MULTILINE)
_LABEL_FIRST = re.compile(r"^[\W_]*(?P<name>[^\W\d_]+)[*_\"'”]*(?:[.,;:!\n–—]|$)")


def chat_turns(question: Question, *, examples: Sequence[Question] = (), labels: bool = False) -> list[dict[str, str]]:
    """Return the messages of a question, worked examples as turns before it; `labels` as for `prompt_of`."""
    turns = []
    for example in examples:
        assert example.label is not None, "an example has a known answer"
        turns.append({"role": "user", "content": _asked(example, labels)})
        turns.append({"role": "assistant", "content": _names(example.options, labels)[example.label]})
    return [*turns, {"role": "user", "content": _asked(question, labels)}]


def read_choice(answer: str, options: Sequence[str], *, labels: bool = False) -> int | None:
    """Return the index of the option that an answer names; None when it names none, or more than one."""
    names = _names(options, labels)
    bare = _bare(answer)
    alone = {number for number, name in enumerate(names) if bare == name.casefold()}
    alone |= {number for number, option in enumerate(options) if bare == _bare(option)}
    if alone:
        return _only(alone)
    if stated := _stated(answer, names, labels):
        return _only(stated)
    if labels:
        first = _LABEL_FIRST.match(answer)
        found = {number for number, name in enumerate(names) if first and first["name"].casefold() == name.casefold()}
        return None if first and _others(answer[first.end() :], names, found) else _only(found)
    return _only(_listed(answer, options))


def _asked(question: Question, labels: bool) -> str:
    text = asked_text(question, listed=not labels)
    names = _names(question.options, labels)
    listed = f"{', '.join(names[:-1])} or {names[-1]}"
    what = "one of these words" if labels else "the letter of the right option"
    return f"{text}\nAnswer with {what} alone: {listed}."


def _names(options: Sequence[str], labels: bool) -> Sequence[str]:
    return options if labels else LETTERS[: len(options)]


def _bare(text: str) -> str:
    """Return a text in lower case without what may stand around it."""
    return re.sub(r"^[\W_]+|[\W_]+$", "", text).casefold()


def _only(found: set[int]) -> int | None:
    return next(iter(found)) if len(found) == 1 and -1 not in found else None


def _stated(answer: str, names: Sequence[str], labels: bool) -> set[int]:
    """Return the choices that an answer states; -1 for a statement that is of no option, or of several."""
    numbers = {name if not labels else name.casefold(): number for number, name in enumerate(names)}
    found = set()
    for match in [*_CUE.finditer(answer), *_BOXED.finditer(answer)]:
        rest = answer[match.end() :]
        name = match["name"].casefold() if labels else match["name"]
        if not labels and len(name) > 1:
            continue
        if _MORE.match(rest):
            found.add(-1)
        elif _ENDS.match(rest):
            found.add(numbers.get(name, -1))
    return found


def _listed(answer: str, options: Sequence[str]) -> set[int]:
    """Return the options that an answer repeats as they were listed, letter and text."""
    found = set()
    for match in _LISTED.finditer(answer):
        number = LETTERS.index(match["name"])
        own = _bare(options[number]) if number < len(options) else ""
        found.add(number if own and _bare(match["text"]) in (own, "") else -1)
    return found


def _others(rest: str, names: Sequence[str], found: set[int]) -> bool:
    """Say whether a line goes on with another label, as in "yes, no or maybe"."""
    words = {word.casefold() for word in re.findall(r"[^\W\d_]+", rest.split("\n", 1)[0])}
    return any(number not in found and name.casefold() in words for number, name in enumerate(names))
