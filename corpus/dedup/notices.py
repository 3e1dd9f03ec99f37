"""Notices told by their first words: texts that are mostly a standard paragraph about another paper.

Corrections, retractions and comments resemble each other more than anything else, at any length: 3,000 of
"Retraction: T" with a journal's paragraph make 50,000 pairs of 0.7 and more. So two of them are duplicates only when
they are equal. A notice and a text that is none are, when they are as alike as `NOTICE_SIMILARITY`: an erratum that
prints the whole abstract again. The notice goes (`corpus.dedup.survivor_rank`).
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import bools
from corpus.arrays.types import Mask

# pmid:11748851 is the whole abstract of pmid:11524736 again under "Erratum: …", with 0.976.
NOTICE_SIMILARITY: Final = 0.9

# In the forms of PubMed and PMC titles. What follows decides: "Correction: T" and "Retraction note to: T" are notices,
# "Correction of anaemia in uraemia" is a paper.
_WORD: Final = (
    r"corrections?|corrigend(?:um|a)|errat(?:um|a)|addend(?:um|a)|(?:partial\s+)?retraction|retracted|withdrawal|withdrawn|"
    r"removal|expression\s+of\s+concern|comments?|commentary|reply|response"
)
_NOTICE: Final = (
    rf"^\W*(?:(?:publisher|authors?|editorial)['’]?s?['’]?\s+)?(?:{_WORD})(?:\s+(?:article|paper|note|notice|statement))?"
    r"\s*(?:[:.\])\n]|(?:to|for)\s*[:“\"]|$)"
    r"|^\W*(?:comments?|commentary)\s+(?:on|to)\b|^\W*(?:reply|response)\s+to\s+(?:comment|letter|dr|the\s+(?:letter|editor))"
    r"|^\W*(?:retraction\s+(?:note|notice)|notice\s+of\s+(?:correction|retraction|withdrawal|concern))\b"
    r"|^\W*(?:letter|comment)s?\s+to\s+the\s+editors?\b"
)


def are_notices(texts: pa.Array | pa.ChunkedArray) -> Mask:
    """Say of each text whether it begins like a notice, bool[num_texts]; null is none."""
    # Each alternative begins with ^, so a text is left at the first character that cannot begin a notice.
    return bools(pc.match_substring_regex(texts, _NOTICE, ignore_case=True))
