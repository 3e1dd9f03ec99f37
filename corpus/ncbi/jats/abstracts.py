"""Abstracts of an article: which of them is the main one, and its parts.

Types of abstracts are free text in JATS. An untyped one is the main one; where there is none, or it says nothing, what
there is decides: the longest abstract of prose that no teaser or table of contents is. Of two languages the abstract in
the language of the text counts, English where there is no text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from msgspec.structs import replace

from corpus.ncbi.jats.accounts import solid
from corpus.ncbi.jats.rules import Reader
from corpus.ncbi.markup.two_languages import halves
from corpus.notices import is_doi_line, plain_label, without_notices
from corpus.records import MAIN, AbstractPart, Block, BlockKind

_FOREIGN = "trans-abstract"  # the type of an untyped abstract in another language than the text
_TITLES = frozenset(["abstract", "abstracts", "summary", "résumé", "resumen", "resumo", "riassunto", "zusammenfassung"])
# What a journal says of its article in a table of contents or a list of news.
_TEASER = re.compile(r"teaser|toc\b|contents|pr[eé]cis|blurb|web-?summary|in-?brief", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?…。][\"'”’)\]]*(?:\s|$)")
_PICTURE = re.compile(r"graphic|visual|video|image|picture", re.IGNORECASE)
# What stands in for a missing abstract only when nothing else is there.
_LAY = re.compile(r"\blay\b|plain|non-?technical|patient|public", re.IGNORECASE)
_WORDS_BY_PICTURE = 10  # of the shortest prose that is more than a picture's caption
_WORDS_WITHOUT_STOP = 12  # of the shortest prose that has no full stop
_CODES = {"eng": "en", "english": "en", "fre": "fr", "fra": "fr", "spa": "es", "por": "pt", "ger": "de", "deu": "de"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Abstract:
    """An abstract as it stands; `type` is "" for one that has none."""

    type: str
    translated: bool  # a trans-abstract
    language: str  # as two letters where known, the article's where it states none
    parts: tuple[AbstractPart, ...]

    @property
    def size(self) -> int:
        """The characters of its text."""
        return sum(len(part.text) for part in self.parts)


def read_abstracts(reader: Reader, article: int, meta: int) -> tuple[AbstractPart, ...]:
    """Return the parts of all abstracts of an article in document order, those of the main one of type "main"."""
    doc = reader.doc
    stated = _code(doc.attributes(article).get("lang", ""))
    abstracts = [_read(reader, child, stated) for child in doc.children(meta) if _is_abstract(doc.tag_names[child])]
    has_body = doc.solid(body) > 0 if (body := doc.find(article, "body")) >= 0 else False
    wanted = stated if has_body and stated else "en"
    main = _main(abstracts, wanted)
    types = [MAIN if index in main else one.type or _FOREIGN for index, one in enumerate(abstracts)]
    return tuple(replace(part, type=name) for one, name in zip(abstracts, types, strict=True) for part in one.parts)


def _is_abstract(name: str) -> bool:
    return name in ("abstract", "trans-abstract")


def _main(abstracts: Sequence[_Abstract], wanted: str) -> set[int]:
    """Return which abstracts are the main one: untyped ones in the language wanted, else one that may stand for it."""
    untyped = [index for index, one in enumerate(abstracts) if not one.type and not one.translated and one.size]
    own = {index for index in untyped if abstracts[index].language in ("", wanted)}
    if own:
        return own
    others = [index for index, one in enumerate(abstracts) if index not in untyped and _may_stand(one, wanted)]
    if not others and not untyped:  # of a text in another language that has no abstract but an English one
        others = [index for index, one in enumerate(abstracts) if _may_stand(one, "en")]
    longest = max(
        others, key=lambda index: (not _LAY.search(abstracts[index].type), abstracts[index].size), default=None
    )
    if longest is not None:
        return {longest}
    # In another language only: the text's own abstract all the same, if there is just one language.
    return {index for index in untyped if abstracts[index].language == abstracts[untyped[0]].language}


def _may_stand(one: _Abstract, wanted: str) -> bool:
    """Say whether an abstract is prose in the language wanted, and no teaser, table of contents or picture."""
    unknown = not one.language and not one.translated
    return (unknown or one.language == wanted) and not _TEASER.search(one.type) and _is_prose(one)


def _is_prose(one: _Abstract) -> bool:
    least = _WORDS_BY_PICTURE if _PICTURE.search(one.type) else 1
    lengths = [(len(part.text.split()), _SENTENCE.search(part.text)) for part in one.parts]
    return any(words >= (least if stop else _WORDS_WITHOUT_STOP) for words, stop in lengths)


@lru_cache(maxsize=256)
def _code(language: str) -> str:
    """Return a language as two letters where it is known: "en" for en-US, EN and eng."""
    plain = re.split("[-_]", language.strip().casefold())[0]
    return _CODES.get(plain, plain)


def _read(reader: Reader, element: int, article_language: str) -> _Abstract:
    attributes, translated = reader.doc.attributes(element), reader.doc.tag_names[element] == "trans-abstract"
    stated = attributes.get("lang", "")
    return _Abstract(
        type=attributes.get("abstract-type", "").strip() or (_FOREIGN if translated else ""),
        translated=translated,
        language=_code(stated) or ("" if translated else article_language),
        parts=_parts(reader, element, stated),
    )


def _parts(reader: Reader, element: int, language: str) -> tuple[AbstractPart, ...]:
    """Return one part a paragraph but for DOIs and closing notices; a section's title labels its first paragraph."""
    outer = reader.enter(element, "abstracts")
    blocks = []
    for block in reader.capture(element):
        if is_doi_line(block.text):
            reader.accounts.move("index_terms", solid(block.text))
            continue
        rest, notice = without_notices(block.text)
        if notice and rest:  # a part that is nothing else stays, for profiles decide on parts
            reader.accounts.move("permissions", solid(block.text) - solid(rest))
            block = replace(block, text=rest)
        blocks.append(block)
    blocks = _in_halves(blocks)
    parts = tuple(_parts_of(blocks, language))
    headings = sum(solid(block.text) for block in blocks if block.kind is BlockKind.HEADING)
    reader.accounts.move("drawn_marks", headings - sum(solid(part.label) for part in parts))
    reader.accounts.leave(outer)
    return parts


def _in_halves(blocks: list[Block]) -> list[Block]:
    """Return blocks with a single one in two languages cut in two, each half below its heading."""
    if len(blocks) != 1 or blocks[0].kind is BlockKind.HEADING or not (found := halves(blocks[0].text)):
        return blocks
    return [
        replace(blocks[0], kind=kind, depth=1, text=text)
        for heading, half in found
        for kind, text in ((BlockKind.HEADING, heading), (blocks[0].kind, half))
    ]


def _parts_of(blocks: Sequence[Block], language: str) -> Iterator[AbstractPart]:
    label = ""
    for block in blocks:
        if block.kind is not BlockKind.HEADING:
            yield AbstractPart(language=language, label=label, text=block.text)
            label = ""
            continue
        if label:  # a section that holds only sections
            yield AbstractPart(language=language, label=label)
        label = plain_label(block.text)
        if block.depth == 0 and label.casefold() in _TITLES:
            label = ""
    if label:
        yield AbstractPart(language=language, label=label)
