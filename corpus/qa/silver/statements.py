"""Title that states to question of yes or no, by a change of order alone.

    Aspirin is associated with asthma in adults     Is aspirin associated with asthma in adults?   yes
    Vitamin D does not prevent falls: a trial       Does vitamin D prevent falls?                  no

PubMedQA's PQA-A was made so with a tagger of parts of speech, which errs. Here only titles count whose verb is one of
a closed class (is, are, can, does not, do not, with or without "not"): no form of a verb has to be made up, no word is
added, and "not" is the only one that goes. What could be read otherwise is left alone.
"""

import re
from typing import Final, NamedTuple


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


MIN_SUBJECT, MAX_SUBJECT, MIN_REST = 1, 20, 2  # words

_VERB: Final = re.compile(
    r"\s(?P<verb>is not|are not|is|are|does not|do not|cannot|can not|can)\s", re.IGNORECASE | re.ASCII
)
_ASKED: Final = {"cannot": "Can", "can not": "Can"}  # others: the first word
# A subject with one of these is no noun phrase, or not the subject of the verb that was found.
_NO_SUBJECT: Final = _set(
    "which that who whom whose what how why when where whether if because although though while since than but "
    "there can cannot this these it its they their we our you i was were has have had will would may might should "
    "must could do does did be been being not no neither nor none never only suggest suggests show shows indicate "
    "indicates reveal reveals demonstrate demonstrates imply implies means confirms supports proves says think "
    "thinks believe reports as so"
)
_NO_START: Final = _set(
    "in on at for from with by during after before to under among between of using based despite unlike like towards "
    "toward through via following within without over upon due given contrary compared beyond about against comment "
    "re response reply letter author"
)
_NO_END: Final = _set("and or but nor also of in with by for to from the a an its")
# A rest with one of these has a second clause, or a negation that would turn the answer round.
_NO_REST: Final = _set(
    "is are was were does do did can cannot could will would may might has have had should no not never neither nor "
    "none"
)
_WORD: Final = re.compile(r"[^\s,;()\[\]\"“”]+")
_CLOSED: Final = {"(": ")", "[": "]", "“": "”"}


class Statement(NamedTuple):
    """A question made of a title, and whether the title affirms it."""

    text: str
    affirmed: bool


def statement_question(title: str, abstract: str) -> Statement | None:
    """Return the question of a title that states, None where a change of order does not make one.

    `abstract` tells whether the title's first word has its capital only for standing first.
    """
    found = _VERB.search(title)
    if found is None or "?" in title or '"' in title or not is_balanced(title[: found.start()]):
        return None
    verb = " ".join(found["verb"].lower().split())
    subject, rest = title[: found.start()].strip(), _main_clause(title[found.end() :])
    if ":" in subject or ";" in subject or ";" in rest or not is_balanced(rest):
        return None
    if not (_is_subject(subject) and _is_rest(rest)):
        return None
    asked = _ASKED.get(verb, verb.partition(" ")[0].capitalize())
    return Statement(text=f"{asked} {_uncapitalised(subject, abstract)} {rest}?", affirmed="not" not in verb)


def _main_clause(rest: str) -> str:
    """Return what stands before a subtitle, without the mark at its end."""
    return re.split(r":\s|\.\s|\s[-–—]\s", rest, maxsplit=1)[0].strip().rstrip(".!")


def _is_subject(subject: str) -> bool:
    words = [word.casefold() for word in _WORD.findall(subject)]
    if not MIN_SUBJECT <= len(words) <= MAX_SUBJECT or words[0] in _NO_START or words[-1] in _NO_END:
        return False
    return not subject.endswith((",", "-", "–")) and _NO_SUBJECT.isdisjoint(words) and ". " not in subject


def _is_rest(rest: str) -> bool:
    words = [word.casefold() for word in _WORD.findall(rest)]
    return len(words) >= MIN_REST and _NO_REST.isdisjoint(words)


def is_balanced(text: str) -> bool:
    """Say whether a text closes the brackets and quotes that it opens."""
    closed = all(text.count(opened) == text.count(closing) for opened, closing in _CLOSED.items())
    return closed and text.count("‘") <= text.count("’")  # which is an apostrophe too


def _uncapitalised(subject: str, abstract: str) -> str:
    """Return a subject without the capital of a sentence's beginning, where the abstract writes the word without it.

    In A Title Like This the second word has one too, and both keep it.
    """
    first = re.match(r"[A-Z][a-z]*(?:-[a-z]+)*\b(?!\s[A-Z][a-z])", subject)
    if first is None:
        return subject
    word = first[0].lower()
    plain = word in ("a", "an", "the") or re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", abstract)
    return word[0] + subject[1:] if plain else subject
