"""An abstract in two languages that lie in one paragraph, each behind its own name for an abstract.

Latin American and Southern European journals send "RESUMEN: … ABSTRACT: …" as one text. The text comes in, its halves
with their headings go out; which half is printed is decided beside all parts of an abstract (`corpus.text.abstracts`).
"""

import re
from typing import Final

_MARKS: Final = ("BSTRACT", "bstract", "UMMARY", "ummary")  # found faster than the pattern; most texts have none
_ENGLISH: Final = r"(?:ABSTRACT|Abstract|SUMMARY|Summary)"
_FOREIGN: Final = (
    r"(?:RESUMEN|Resumen|R[ÉE]SUM[ÉE]|R[ée]sum[ée]|RESUMO|Resumo|RESUM|Resum|ZUSAMMENFASSUNG|Zusammenfassung|RIASSUNTO"
    r"|Riassunto|SAMENVATTING|Samenvatting|STRESZCZENIE|Streszczenie|SAŽETAK|Sažetak|ÖZET|Özet|SAMMANFATTNING"
    r"|Sammanfattning|РЕЗЮМЕ|Резюме|АННОТАЦИЯ|Аннотация|要旨|抄録|摘要)"
)
_COLON: Final = r"\s?[:：]\s*|\s?[.—–]\s+"  # what closes a heading
_END: Final = r"(?<=[.!?。)\]”\"])\s*"  # of the half before the second heading
_LEAST: Final = 100  # characters of a half, so that no mention of a summary cuts an abstract
_HALVES: Final = tuple(
    re.compile(rf"({first})(?:{_COLON})(.{{{_LEAST},}}?){_END}({second})(?:{_COLON})(.{{{_LEAST},}})", re.DOTALL)
    for first, second in ((_FOREIGN, _ENGLISH), (_ENGLISH, _FOREIGN))
)


def halves(text: str) -> list[tuple[str, str]]:
    """Return heading and text of both halves of an abstract in two languages; [] for any other text."""
    if not any(mark in text for mark in _MARKS):
        return []
    found = next(filter(None, (pattern.fullmatch(text) for pattern in _HALVES)), None)
    return [] if found is None else [(found[1], found[2].strip()), (found[3], found[4].strip())]
