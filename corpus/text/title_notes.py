"""What NLM's indexers wrote behind a title: who translated it, and that it is of the proceedings of a meeting.

Of 30,000 citations of 1979 and 1980 1,624 end in "(author's transl)" and 106 in "[proceedings]". They say nothing of
the matter, so no text has them; a record's title is NLM's to the letter.
"""

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_MARKS: Final = "transl|proceedings"
# Spaces alone, for white space is not the same to both engines; a title holds no other.
_NOTE: Final = r"(?i)([^ ]) *(?:\( *author[s'’ ]{0,3}s? +transl(?:ation)?\.? *\)|[(\[] *proceedings *\]) *(\]? *\.?) *$"
_PATTERN: Final = re.compile(_NOTE)


def without_note(title: str) -> str:
    """Return a title without NLM's note behind it."""
    return _PATTERN.sub(r"\1\2", title)


def without_notes(titles: pa.Array) -> pa.Array:
    """Return what `without_note` returns of each title; null stays null."""
    noted = pc.match_substring_regex(titles, _MARKS, ignore_case=True)
    if not pc.any(noted).as_py():
        return titles
    return pc.if_else(noted, pc.replace_substring_regex(titles, _NOTE, r"\1\2"), titles)
