"""The one XML policy of the road.

Bytes of one document or record come in; a `Markup`, or an lxml element, goes out. The parser never
reads another file, never repairs, never expands an entity of the document's own: damage is an error with a
reason, so that a bad record becomes a dead letter and not half a sentence. `resolve_entities="internal"` is
deliberate: False leaves `&alpha;` as a silent hole in the text, where "internal" fails loudly.
`collect_ids` stays at its default: switched off, lxml 6.1 tries to load the external DTD.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lxml import etree

from corpus.reasons import RejectReason

if TYPE_CHECKING:
    from corpus.ncbi.markup.document import Markup, Vocabulary

# Bytes and tags of one document: text and rows take several times as much memory. The largest real article that was
# seen has 29,013 tags.
BYTE_CAP, TAG_CAP = 50_000_000, 1_000_000

# libxml2 2.14's ways of saying that one of its default limits (10 MB of text, depth 256, …) was met.
_LIMIT_MESSAGES = ("too long", "too big", "XML_PARSE_HUGE", "Excessive depth")


class BadXmlError(ValueError):
    """A document that the policy refuses; `reason` and `detail` go into its dead letter."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def _parser(*, huge_tree: bool, target: Any = None) -> etree.XMLParser:
    return etree.XMLParser(
        target=target,
        resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know only bool
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        recover=False,
        huge_tree=huge_tree,
        remove_comments=True,
        remove_pis=True,
        strip_cdata=True,
    )


class _NoTree:
    """Takes no event: libxml2 reads the document to its end, checks all of it, and builds nothing."""

    def close(self) -> None:
        return None


_PARSER, _HUGE_PARSER = _parser(huge_tree=False), _parser(huge_tree=True)
_CHECKER = _parser(huge_tree=False, target=_NoTree())
_UTF8_DOCUMENT = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:<\?xml\s(?:(?!\?>|encoding).)*(?:encoding\s*=\s*[\"'](?i:utf-?8|us-ascii)[\"'][^>]*)?\?>)?\s*<(?!\?xml\s)[^\0]",
    re.DOTALL,
)
_NO_NAMESPACES: Mapping[str, str] = {}
# All up to the name in the root's start tag.
_ROOT = re.compile(
    rb"(?:[^<]|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*+<[A-Za-z_][\w.:-]*(?=[\s/>])", re.DOTALL
)
# Declaration and DOCTYPE as articles have them; with a comment among them libxml2 decides.
_PLAIN_PROLOG = re.compile(
    rb"""(?:\xef\xbb\xbf)?
    (?:<\?xml[ ]version=(?:"1\.0"|'1\.0')(?:[ ]encoding=(?:"(?i:utf-8)"|'(?i:utf-8)'))?[ ]?\?>)?[ \t\r\n]*
    (?:<!DOCTYPE[ \t\r\n]+[A-Za-z_][\w.-]{0,99}
    (?:[ \t\r\n]+PUBLIC[ \t\r\n]+"[\w ()./,;:+-]*"[ \t\r\n]+"[\w./:-]*")?[ \t\r\n]*>[ \t\r\n]*)?(?=<[A-Za-z_])""",
    re.VERBOSE,
)


def read_markup(
    raw: bytes,
    vocabulary: "Vocabulary",
    *,
    root: frozenset[str] | None = None,
    namespaces: Mapping[str, str] = _NO_NAMESPACES,
) -> "Markup":
    """Return the text and elements of one document, checked by libxml2 as `parse` checks it.

    `namespaces`: prefixes that the document's DTD declares by default, so that it need not declare them itself.

    A plain document in UTF-8 is proven by the scan, or checked without building a tree. What these do not take
    (other encodings, declarations, huge texts) goes through `parse`, which decides. Raises BadXmlError as `parse`.
    """
    check_size(raw)
    from corpus.ncbi.markup.document import scan  # numba: 65 MB, and whoever only calls `parse` does not need it

    markup = scan(raw, vocabulary) if _UTF8_DOCUMENT.match(raw) else None
    if markup is None and (declared := _declared(raw, namespaces)) != raw:
        raw, markup = declared, scan(declared, vocabulary)
    if markup is None or not (is_proven(raw, markup) or is_well_formed(raw)):
        markup = scan(etree.tostring(parse(raw), encoding="utf-8"), vocabulary)
        assert markup is not None, "what libxml2 writes is plain"
    _check_root(markup.root_name(), root)
    return markup


def _declared(raw: bytes, namespaces: Mapping[str, str]) -> bytes:
    """Return a document whose root declares the prefixes that it uses and no element of it declares."""
    root = _ROOT.match(raw)
    names = [(prefix.encode(), address.encode()) for prefix, address in namespaces.items()]
    missing = [
        b' xmlns:%b="%b"' % name
        for name in names
        if re.search(rb"[<\s/]%b:" % name[0], raw) and b"xmlns:%b" % name[0] not in raw
    ]
    return raw[: root.end()] + b"".join(missing) + raw[root.end() :] if root and missing else raw


def check_size(raw: bytes) -> None:
    """Raise BadXmlError (TOO_LARGE) for a document above BYTE_CAP or TAG_CAP."""
    if len(raw) > BYTE_CAP:
        raise BadXmlError(RejectReason.TOO_LARGE, f"{len(raw)} bytes, the limit is {BYTE_CAP}")
    if len(raw) > TAG_CAP and raw.count(b"<") > TAG_CAP:
        raise BadXmlError(RejectReason.TOO_LARGE, f"{raw.count(b'<')} tags, the limit is {TAG_CAP}")


def is_proven(raw: bytes, markup: "Markup") -> bool:
    """Say whether a document is beyond doubt one that libxml2 accepts: by the scan, and by a prolog that is plain."""
    return markup.proven and _PLAIN_PROLOG.match(raw) is not None


def is_well_formed(raw: bytes) -> bool:
    """Say whether libxml2 accepts a document; entities and namespace prefixes are left to `scan`."""
    try:
        etree.fromstring(raw, _CHECKER)
    except etree.XMLSyntaxError:
        return False
    return not len(_CHECKER.error_log)  # after an error of namespaces libxml2 goes on, and no longer looks closely


def _check_root(name: str, root: frozenset[str] | None) -> None:
    if root is not None and name not in root:
        expected = " or ".join(f"<{name}>" for name in sorted(root))
        raise BadXmlError(RejectReason.BAD_ROOT, f"root is <{name[:80]}>, expected {expected}")


def parse(raw: bytes, *, root: frozenset[str] | None = None) -> etree._Element:
    """Return the root element of one document; `root` lists the local names it may have.

    libxml2's limits on depth and text length are lifted once for a document that meets them; the limit on
    entity amplification always holds. Raises BadXmlError: TOO_LARGE above BYTE_CAP bytes, ENTITY_DECLARATION
    for a document that declares entities of text, BAD_ROOT for another root, BAD_XML for all that is not well-formed.
    """
    check_size(raw)
    try:
        element = etree.fromstring(raw, _PARSER)
    except etree.XMLSyntaxError as error:
        element = _parse_huge(raw, error.msg or "")
    dtd: Any = element.getroottree().docinfo.internalDTD
    if dtd is not None and not all(map(_is_unparsed, dtd.iterentities())):
        raise BadXmlError(RejectReason.ENTITY_DECLARATION, "the document declares entities of its own")
    _check_root(local_name(element.tag), root)
    return element


def _is_unparsed(entity: Any) -> bool:
    """Say whether an entity names a file that is no XML, like a picture (NDATA): no reference makes text of it."""
    return entity.orig is None and entity.content is not None and entity.system_url is not None


def _parse_huge(raw: bytes, message: str) -> etree._Element:
    """Parse again without libxml2's size limits if those were what failed."""
    if any(words in message for words in _LIMIT_MESSAGES):
        try:
            return etree.fromstring(raw, _HUGE_PARSER)
        except etree.XMLSyntaxError as error:
            message = error.msg or ""
    # Well-formedness fails at the reference (`&x;`), the cause is the declaration that policy forbids.
    declares = b"<!ENTITY" in raw and b"<!DOCTYPE" in raw
    reason = RejectReason.ENTITY_DECLARATION if declares else RejectReason.BAD_XML
    if message.startswith("Entity '") and not declares:
        message += "; no DTD is read: resolve its entities first (xmllint --loaddtd --noent)"
    raise BadXmlError(reason, " ".join(message.split())[:300])


@lru_cache(maxsize=4096)
def local_name(tag: str) -> str:
    """Return a tag without its namespace; "" for a comment or another node that is no element."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
