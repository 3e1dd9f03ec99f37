"""Citations that their sentence needs: "as described in [5]", "Later, [7] showed".

A line and the place of a citation in it come in; whether the words around it cannot do without it goes out.
"""

from corpus.ncbi.jats import citation_words as words

# Behind which words, in small letters, `is_needed` has more to look at; "" stands for none.
_MAY_TELL = frozenset(word.lower() for word in (*words.TELLING, *words.CLAUSE_WORDS))
_ENDS = frozenset([*words.CLAUSE_ENDS, ""])
_LONGEST_TELLING = 16  # characters


def may_be_needed(before: str) -> bool:
    """Say of the text between two citations whether the second may be one that it cannot do without."""
    words_before = before[-_LONGEST_TELLING:].rsplit(None, 1)
    word = words_before[-1] if words_before else ""
    return word[-1:] in _ENDS or word.lower().lstrip("([") in _MAY_TELL


def is_needed(line: str, start: int, end: int, *, bare: bool = False) -> bool:
    """Say whether the words around a citation cannot do without it: "as described in [5]"."""
    before = line[max(start - _LONGEST_TELLING, 0) : start].split()
    if before:
        word = before[-1].lstrip("([")
        if word[-1:] not in words.CLAUSE_ENDS and word not in words.TELLING and word.lower() not in words.CLAUSE_WORDS:
            return False  # nearly all
        if word in words.LEAD_INS and words.STOP.match(line, end):
            return False
        if word in words.NEEDING or (bare and word in words.NUMBERED):
            return _has_need(line, start, end, word)
        if word in words.NEEDING_FIRST:
            return words.SENTENCE_START.search(line, max(start - 16, 0), start) is not None
        if word.endswith(",") and word[:-1] in words.BEFORE_COMMA:
            return True
        if word in words.PHRASE_ENDS and words.NEEDING_PHRASE.search(line, max(start - 32, 0), start) is not None:
            return words.STOP.match(line, end) is None or not word.endswith("y")
        if word[-1:] not in words.CLAUSE_ENDS and word.lower() not in words.CLAUSE_WORDS:  # nearly all
            return False
    return words.SUBJECT.match(line, end) is not None and (
        words.BEFORE_SUBJECT.search(line[max(start - 60, 0) : start]) is not None
    )


def _has_need(line: str, start: int, end: int, word: str) -> bool:
    """Say of a citation behind a word that needs one whether it does so here."""
    if word in words.JOINING:
        return words.STOP.match(line, end) is not None or words.SUBJECT.match(line, end) is not None
    if word == "with" and words.WITHOUT.match(line, end):
        return False
    return words.NOT_NEEDED.search(line, max(start - 32, 0), start) is None
