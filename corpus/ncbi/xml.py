"""The one XML policy of the road, and the one way from mixed content to a line of text.

Bytes of one document or record come in; an lxml element, or one line of text, goes out. The parser never
reads another file, never repairs, never expands an entity of the document's own: damage is an error with a
reason, so that a bad record becomes a dead letter and not half a sentence. `resolve_entities="internal"` is
deliberate: False leaves `&alpha;` as a silent hole in the text, where "internal" fails loudly.
`collect_ids` stays at its default: switched off, lxml 6.1 tries to load the external DTD.
The rules of `flat_text` are written at the function; formulas and scripts are in `corpus.ncbi.formulas`.
"""

import re
from functools import lru_cache
from typing import Any

from lxml import etree

from corpus.ncbi import formulas
from corpus.ncbi.markup import Markup, Vocabulary, scan
from corpus.records import RejectReason

BYTE_CAP = 200_000_000  # bytes of one document; text and tree take several times as much memory

# libxml2 2.14's ways of saying that one of its default limits (10 MB of text, depth 256, …) was met.
_LIMIT_MESSAGES = ("too long", "too big", "XML_PARSE_HUGE", "Excessive depth")

# Deeper than this, `flat_text` joins the text as it stands: recursion must not end the process.
_MAX_DEPTH = 200


def _names(line: str) -> frozenset[str]:
    return frozenset(line.split())


# Elements that never touch the text before or after them. All others (b, i, u, italic, bold, sc, xref,
# ext-link, named-content, styled-content, …) never add or remove a space.
BLOCKS = _names(
    "abstract array boxed-text break caption chem-struct-wrap code def def-item def-list DispFormula disp-formula "
    "disp-formula-group disp-quote fig fig-group fn fn-group hr label list list-item media p preformat sec "
    "speech statement subtitle supplementary-material table table-wrap table-wrap-foot tbody td term tfoot th thead "
    "title tr verse-group verse-line AbstractText"
)


_MATH = Vocabulary(formulas.MATHML, detailed=["math"])


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


def read_markup(raw: bytes, vocabulary: Vocabulary, *, root: frozenset[str] | None = None) -> Markup:
    """Return the text and elements of one document, checked by libxml2 as `parse` checks it.

    A plain document in UTF-8 is checked without building a tree. What the check or the scan does not take
    (other encodings, declarations, huge texts) goes through `parse`, which decides. Raises BadXmlError as `parse`.
    """
    if len(raw) > BYTE_CAP:
        raise BadXmlError(RejectReason.TOO_LARGE, f"{len(raw)} bytes, the limit is {BYTE_CAP}")
    markup = scan(raw, vocabulary) if _UTF8_DOCUMENT.match(raw) and is_well_formed(raw) else None
    if markup is None:
        markup = scan(etree.tostring(parse(raw), encoding="utf-8"), vocabulary)
        assert markup is not None, "what libxml2 writes is plain"
    _check_root(markup.root_name(), root)
    return markup


def is_well_formed(raw: bytes) -> bool:
    """Say whether libxml2 accepts a document; entities and namespace prefixes are left to `scan`."""
    try:
        etree.fromstring(raw, _CHECKER)
    except etree.XMLSyntaxError:
        return False
    return True


def _check_root(name: str, root: frozenset[str] | None) -> None:
    if root is not None and name not in root:
        expected = " or ".join(f"<{name}>" for name in sorted(root))
        raise BadXmlError(RejectReason.BAD_ROOT, f"root is <{name[:80]}>, expected {expected}")


def parse(raw: bytes, *, root: frozenset[str] | None = None) -> etree._Element:
    """Return the root element of one document; `root` lists the local names it may have.

    libxml2's limits on depth and text length are lifted once for a document that meets them; the limit on
    entity amplification always holds. Raises BadXmlError: TOO_LARGE above BYTE_CAP bytes, ENTITY_DECLARATION
    for a document that declares entities, BAD_ROOT for another root, BAD_XML for all that is not well-formed.
    """
    if len(raw) > BYTE_CAP:
        raise BadXmlError(RejectReason.TOO_LARGE, f"{len(raw)} bytes, the limit is {BYTE_CAP}")
    try:
        element = etree.fromstring(raw, _PARSER)
    except etree.XMLSyntaxError as error:
        element = _parse_huge(raw, error.msg or "")
    dtd: Any = element.getroottree().docinfo.internalDTD
    if dtd is not None and dtd.entities():
        raise BadXmlError(RejectReason.ENTITY_DECLARATION, "the document declares entities of its own")
    _check_root(local_name(element.tag), root)
    return element


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
    raise BadXmlError(reason, " ".join(message.split())[:300])


@lru_cache(maxsize=4096)
def local_name(tag: str) -> str:
    """Return a tag without its namespace; "" for a comment or another node that is no element."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def flat_text(element: etree._Element, *, skip: frozenset[str] = frozenset()) -> str:
    """Return the text of an element's content as one line, whitespace collapsed.

    The rules, by local name:

    - inline markup (b, i, italic, xref, …) leaves no trace and never adds or removes a space;
    - sup and sub become Unicode scripts where every character has one (10⁵, Ca²⁺, H₂O), else `V_max`,
      `m^(1-3)`; a run without letters and digits stands as it is (`p53-/-`, `®`), ordinals too (`19th`);
    - MathML becomes one line: `a/b`, `(a+b)/c`, `x²`, `√(x)`; TeX loses its preamble and dollar signs;
      `alternatives` is read once (MathML, else TeX, else the first that has text);
    - elements of BLOCKS are parted from their neighbours by a space;
    - elements whose local name is in `skip` are left out; the text after them (tail) never is.
    """
    if not len(element):
        return " ".join((element.text or "").split())
    parts: list[str] = []
    _append_content(element, parts, skip, 0)
    return " ".join("".join(parts).split())


def _append_content(element: etree._Element, parts: list[str], skip: frozenset[str], depth: int) -> None:
    """Append the text of an element's content, without its own tail."""
    if element.text:
        parts.append(element.text)
    for child in element:
        name = local_name(child.tag)
        if name and name not in skip:
            _append_child(child, name, parts, skip, depth + 1)
        if child.tail:
            parts.append(child.tail)


def _append_child(child: etree._Element, name: str, parts: list[str], skip: frozenset[str], depth: int) -> None:
    """Append one child by the rule of its name."""
    if depth > _MAX_DEPTH:
        parts.extend(str(piece) for piece in child.itertext())
    elif name in ("sup", "sub"):
        run: list[str] = []
        _append_content(child, run, skip, depth)
        before = parts[-1] if parts else ""
        parts.append(formulas.script("".join(run), raised=name == "sup", before=before, after=_next_text(child)))
    elif name == "math":
        markup = scan(etree.tostring(child, encoding="utf-8", with_tail=False), _MATH)
        assert markup is not None, "what libxml2 writes is plain"
        parts.append(formulas.linear_math(markup, 0))
    elif name == "tex-math":
        parts.append(formulas.tex_source("".join(str(piece) for piece in child.itertext())))
    elif name == "alternatives":
        chosen = _alternative(child)
        if chosen is not None:
            _append_child(chosen, local_name(chosen.tag), parts, skip, depth + 1)
    elif name in BLOCKS:
        parts.append(" ")
        _append_content(child, parts, skip, depth)
        parts.append(" ")
    else:
        _append_content(child, parts, skip, depth)


def _alternative(element: etree._Element) -> etree._Element | None:
    """Return the child of `alternatives` to read: MathML, else TeX, else the first with text."""
    children = [child for child in element if local_name(child.tag)]
    for wanted in ("math", "tex-math"):
        for child in children:
            if local_name(child.tag) == wanted:
                return child
    return next((child for child in children if "".join(str(piece) for piece in child.itertext()).strip()), None)


def _next_text(element: etree._Element) -> str:
    """Return the text that touches the end of an element."""
    if element.tail:
        return element.tail
    following = element.getnext()
    return (following.text or "") if following is not None else ""
