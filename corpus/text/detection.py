"""Language identification: from a text to an ISO 639-1 code, or "" when its letters say too little.

PubMed's `Language` speaks of the article, and an article in Polish mostly has an English abstract, so the text
itself is asked. CLD2 (pycld2, Google's Compact Language Detector 2: n-gram tables inside the wheel, no model to fetch,
nothing random) decides. Most texts never reach it: where English function words stand as thickly as only English
has them, the answer is known, at a tenth of the cost. Figures behind every number: docs/decisions.md.

Titles of two words, names of species and of compounds look like any language. They stay undecided, and so do
texts in two languages; a wrong answer loses a document, no answer loses nothing.
"""

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pycld2

SAMPLE = 1000  # characters of a text that CLD2 sees
_HEAD = 300  # characters in which function words are counted

# No other language that CLD2 knows has these: of 6,897 titles in 24 other languages none holds two.
_ENGLISH = r"(?i)\b(?:of|the|and|with|from|were|which|this|that|between|these|using)\b"
_WORDS, _SPACING = 2, 75  # so many function words, and one in so many characters, are English

# Letters in UTF-8 bytes. English is what nearly all texts are, so less is enough to say it: of 33,562 English titles
# CLD2 takes 59 for another language, of which 49 have fewer than 40 letters.
_ENGLISH_BYTES, _OTHER_BYTES = 20, 40
_PERCENT = 60  # of the letters are in the language; both false answers on long English titles had less
# CLD2 calls itself unsure where one language has a near relative (Russian beside Bulgarian, Italian beside Corsican).
# So many bytes in which it finds no English at all, and so much of one language, are enough all the same.
_UNSURE_BYTES, _UNSURE_PERCENT = 150, 40

# The languages in Latin letters that PubMed's journals are published in (NLM's table of languages for MEDLINE), but for
# those of a few titles. Guarani, Frisian, Volapük or Interlingua is what CLD2 sees in names of drugs, species
# and diseases: of 260,000 parts of English titles it takes 25 for one of these, and no journal is written in them.
_IN_LATIN_LETTERS = frozenset(
    [
        *("af", "az", "bs", "ca", "cs", "cy", "da", "de", "en", "es", "et", "fi", "fr", "hr", "hu", "id", "is"),
        *("it", "lt", "lv", "ms", "nl", "no", "pl", "pt", "ro", "sk", "sl", "sq", "sr", "sv", "tr", "vi"),
    ]
)
_LATIN_LETTERS = re.compile(r"[a-zA-ZÀ-ɏ]")
_RENAMED = {"iw": "he", "jw": "jv"}  # codes that ISO 639-1 has replaced
# Unknown; a script without a language; and Latin, which is what lists of species and anatomical terms look like.
_NO_LANGUAGE = ("un", "xx", "la")


def detect(text: str) -> str:
    """Return the language of one text; `detect_all` is faster for many."""
    return detect_all([text])[0]


def detect_all(texts: Sequence[str]) -> list[str]:
    """Return the language of each text, whatever the others are."""
    if not texts:
        return []
    plain = _is_plain_english(pa.array([text[:_HEAD] for text in texts], pa.string())).to_pylist()
    return ["en" if known else _ask(text) for known, text in zip(plain, texts, strict=True)]


def _is_plain_english(heads: pa.Array) -> pa.Array:
    """Say of the beginning of each text whether English function words alone show its language."""
    words = pc.count_substring_regex(heads, _ENGLISH)
    thick = pc.greater_equal(pc.multiply(words, _SPACING), pc.cast(pc.utf8_length(heads), words.type))
    return pc.and_(pc.greater_equal(words, _WORDS), thick)


def _is_in_latin_letters(text: str) -> bool:
    """Say whether most letters of a text are Latin ones."""
    return 2 * len(_LATIN_LETTERS.findall(text)) > sum(map(str.isalpha, text))


def _ask(text: str) -> str:
    """Return CLD2's answer on a text when it is sure enough."""
    if len(text) < _ENGLISH_BYTES // 4:  # no character has more than four bytes
        return ""
    text = text[:SAMPLE]
    try:
        sure, num_bytes, found = pycld2.detect(text, isPlainText=True)
    except pycld2.error:  # control characters, which XML does not allow but JSON and OCR do
        text = "".join(letter if letter.isprintable() else " " for letter in text)
        sure, num_bytes, found = pycld2.detect(text, isPlainText=True)
    code, percent = found[0][1:3]
    code = _RENAMED.get(code, code.partition("-")[0])
    if len(code) != 2 or code in _NO_LANGUAGE or (code not in _IN_LATIN_LETTERS and _is_in_latin_letters(text)):
        return ""
    if sure:
        enough = num_bytes >= (_ENGLISH_BYTES if code == "en" else _OTHER_BYTES) and percent >= _PERCENT
    else:
        english = any(other[1] == "en" for other in found)
        enough = num_bytes >= _UNSURE_BYTES and percent >= _UNSURE_PERCENT and not english
    return code if enough else ""
