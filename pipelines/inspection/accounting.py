"""Accounting of one article, `account FILE`: where every character of its XML went, beside the XML.

The bytes of an article come in, lines of text go out: a table with the source of each piece on the left and its fate on
the right (the field and the text that was kept, or the reason why it was dropped), then the sums.
"""

import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from corpus import storage
from corpus.errors import DataError, UsageError
from corpus.extract.articles import find_article
from corpus.ncbi.jats.accounts import DROPPED, KEPT, UNREAD, Accounts
from corpus.ncbi.jats.reader import read_traced
from corpus.ncbi.jats.rules import Reader
from corpus.ncbi.markup.formulas import linear_math
from corpus.ncbi.markup.parse import BYTE_CAP, BadXmlError
from corpus.records import Record
from corpus.stage.manifest import has_manifest, read_manifest

_WIDTH, _LINES = 58, 6  # of one column; lines shown of one piece
# Elements that are shown as one piece, unless a block of its own stands in them.
_PIECES = frozenset(["p", "title", "article-title", "td", "th", "kwd", "disp-formula", "math", "term", "attrib", "def"])
_BLOCKS = frozenset(["p", "list", "fig", "table-wrap", "table", "supplementary-material", "boxed-text", "fn", "media"])


@dataclass(frozen=True, kw_only=True, slots=True)
class _AccountedPiece:
    """Piece of the article: its element, its source, the accounts it went to and what was kept."""

    path: str
    source: str
    fate: str
    kept: str


def account_text(path: str, document: str | None = None, *, full: bool = False) -> str:
    """Return the accounting of one article: a file, or one of a tar or fetched store (`document`: PMC id or name).

    Of a result of `dedup` it is that of all its lines, of one document its row and cluster. `full` shows long pieces
    whole, and all files. Raises UsageError for a file that is not there, DataError for what is no article.
    """
    if not storage.exists(path):
        raise UsageError(f"{path}: there is no such file; check the path")
    if has_manifest(path) and read_manifest(path).stage == "dedup":
        from pipelines.inspection.line_accounts import line_accounts

        return line_accounts(path, document, full=full)
    if path.endswith((".tar", ".tar.gz", ".tar.xz", ".tgz")) or os.path.isdir(path) or has_manifest(path):
        name, raw = find_article(path, document)
    else:
        name = storage.base_name(path)
        with storage.open_read(path) as source:
            raw = source.read(BYTE_CAP + 1)
    try:
        reader, article, record = read_traced(raw, name=name)
    except BadXmlError as error:
        raise DataError(f"{path}: {name} is no article that can be read: {error.detail} ({error.reason})") from error
    lines = [f"{name}: {record.title or 'without a title'}", "", _row("XML", "where it went"), "─" * (2 * _WIDTH + 3)]
    for piece in _pieces(reader, article, _fates(reader)):
        lines += _show(piece, full=full)
    return "\n".join([*lines, "", *_sums(record)])


def _fates(reader: Reader) -> list[str]:
    """Return the account of every character of the document's text; later words overrule earlier ones."""
    fates = [UNREAD] * len(reader.doc.text)
    for element, account in reader.trace:
        start, end = reader.doc.starts[element], reader.doc.ends[element]
        fates[start:end] = [account] * (end - start)
    return fates


def _pieces(reader: Reader, element: int, fates: list[str], path: str = "") -> Iterator[_AccountedPiece]:
    """Yield the pieces of an element in document order."""
    doc, path = reader.doc, f"{path}/{reader.doc.tag_names[element]}"
    children = doc.children(element)
    accounts = {fates[place] for place in range(doc.starts[element], doc.ends[element]) if doc.text[place].strip()}
    if not accounts:
        return
    whole = doc.tag_names[element] in _PIECES and not doc.descendants(element, *_BLOCKS)
    if not children or whole:
        yield _piece(reader, element, path, accounts)
        return
    pos = doc.starts[element]
    for child in children:
        yield from _stray(reader, pos, doc.starts[child], fates, path)
        yield from _pieces(reader, child, fates, path)
        pos = doc.ends[child]
    yield from _stray(reader, pos, doc.ends[element], fates, path)


def _piece(reader: Reader, element: int, path: str, accounts: set[str]) -> _AccountedPiece:
    fate = ", ".join(_fate(account) for account in sorted(accounts, key=lambda name: (name not in KEPT, name)))
    source = " ".join(reader.doc.source(element).decode().split())
    kept = ""
    if accounts & KEPT and "sub_articles" not in accounts:
        scratch = Reader(reader.doc, Accounts(0))
        scratch.in_cell = reader.doc.tag_names[element] in ("td", "th")
        formula = reader.doc.tag_names[element] == "math"
        kept = linear_math(reader.doc, element) if formula else " ¶ ".join(scratch.lines(element))
    return _AccountedPiece(path=path, source=source, fate=fate, kept=kept)


def _fate(account: str) -> str:
    return f"{'kept' if account in KEPT else 'dropped'}: {account}"


def _stray(reader: Reader, start: int, end: int, fates: list[str], path: str) -> Iterator[_AccountedPiece]:
    text = reader.doc.text[start:end]
    if text.strip():
        kept = text if fates[start] in KEPT else ""
        yield _AccountedPiece(path=f"{path}/text()", source=text, fate=_fate(fates[start]), kept=kept)


def _show(piece: _AccountedPiece, *, full: bool) -> Iterator[str]:
    """Yield the lines of one piece in two columns."""
    right = [piece.fate, *_wrapped(piece.kept, full)]
    path = piece.path if len(piece.path) <= _WIDTH else "…" + piece.path[-_WIDTH + 1 :]
    left = [path, *_wrapped(piece.source, full)]
    for number in range(max(len(left), len(right))):
        yield _row(*(column[number] if number < len(column) else "" for column in (left, right)))


def _wrapped(text: str, full: bool) -> list[str]:
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    lines = textwrap.wrap(printable, _WIDTH - 2)
    if not full and len(lines) > _LINES:
        lines = [*lines[:_LINES], f"… {len(text):,} characters"]
    return [f"  {line}" for line in lines]


def _row(left: str, right: str) -> str:
    return f"{left:<{_WIDTH}} │ {right}".rstrip()


def _sums(record: Record) -> list[str]:
    """Return the sums of all accounts."""
    total = sum(account.characters for account in record.accounts)
    lines = ["characters that are not white space"]
    for kept, verb in ((True, "kept"), (False, "dropped")):
        own = [account for account in record.accounts if account.kept is kept]
        for account in sorted(own, key=lambda one: -one.characters):
            why = f"  {DROPPED[account.name]}" if account.name in DROPPED else ""
            lines.append(f"  {verb:8}{account.name:22}{account.characters:>10,} {account.characters / total:7.2%}{why}")
        lines.append(f"  {verb:8}{'in all':22}{sum(one.characters for one in own):>10,}")
    return [*lines, f"  {'total':30}{total:>10,}  kept + dropped, exactly"]
