"""Titles and abstracts: from mixed content to one line of text, and from bold run-in labels to labelled parts.

A row of a `Markup` comes in, text goes out. The rules of a line:

- b, i, u and whatever is not named here leave no trace and never add or remove a space;
- sup and sub become Unicode scripts where every character has one (10⁵, Ca²⁺, H₂O), else `V_max`, `m^(1-3)`; a run
  without letters and digits stands as it is (`p53-/-`, `®`), ordinals too (`19th`);
- MathML becomes one line: `a/b`, `(a+b)/c`, `x²`, `√(x)`; TeX loses its preamble and dollar signs; `alternatives`
  is read once (MathML, else TeX, else the first that has text);
- what stands on lines of its own (DispFormula, p, list-item, …) is parted from its neighbours by a space;
- white space is one space within the line and none at its ends.
"""

import re

from corpus.ncbi.markup import formulas, scripts
from corpus.ncbi.markup.document import Markup

# Elements that never touch the text before or after them. All others (b, i, u, italic, bold, sc, xref,
# ext-link, named-content, styled-content, …) never add or remove a space.
_LINES = """
abstract array boxed-text break caption chem-struct-wrap code def def-item def-list DispFormula disp-formula
disp-formula-group disp-quote fig fig-group fn fn-group hr label list list-item media p preformat sec speech statement
subtitle supplementary-material table table-wrap table-wrap-foot tbody td term tfoot th thead title tr verse-group
verse-line AbstractText
"""
BLOCKS = frozenset(_LINES.split())
# The names that a vocabulary must hold for these rules, besides `math` as a detailed element.
INLINE = ("sup", "sub", "tex-math", "alternatives", "b", "bold", "strong")

_BOLD = frozenset({"b", "bold", "strong"})
_MAX_DEPTH = 200  # deeper, text is joined as it stands: recursion must not end the process

# What NLM writes for "this part has no label".
NO_LABEL = frozenset({"", "UNASSIGNED", "UNLABELLED", "UNLABELED"})

_MAX_LABEL_LETTERS, _MAX_LABEL_WORDS = 60, 6
_COLON = re.compile(r"\s*[:：]\s*")
_CLOSED = re.compile(r"[.!?。！？;:)\]’”\"']\s*$")
_GLUED = re.compile(r"[A-Z][a-z ]")
_SECTION = re.compile(
    r"(?:(?:the |study |main |key |patients?,? (?:and )?|materials?,? (?:and |& )?|subjects?,? (?:and )?)?"
    r"(?:abstract|background|introduction|context|rationale|importance|significance|statement of significance|purpose|"
    r"objectives?|aims?|aims? and (?:objectives?|background)|goals?|hypothesis|question|problem|methods?|methodology|"
    r"methods and (?:results|materials|findings)|experimental (?:design|approach)|approach|design|study design|setting|"
    r"design and methods|participants|patients|subjects|interventions?|measurements?|outcome measures|outcomes?|"
    r"data sources|data extraction|data synthesis|study selection|search strategy|case(?: report| presentation)?|"
    r"observations?|results?|results and (?:discussion|conclusions?)|findings|interpretation|discussion|"
    r"conclusions?(?: and (?:relevance|significance|implications))?|implications|limitations|summary|relevance|"
    r"clinical (?:relevance|significance|implications)|level of evidence|trial registration|registration|funding|"
    r"keywords?|key words))",
    re.IGNORECASE,
)


def line(doc: Markup, element: int) -> str:
    """Return the content of an element as one line of text; the scan has made every run of white space one space."""
    if doc.nexts[element] == element + 1:
        return doc.text[doc.starts[element] : doc.ends[element]].strip()
    return line_between(doc, element, doc.starts[element], doc.ends[element])


def line_between(doc: Markup, element: int, start: int, end: int) -> str:
    """Return the part of an element's content between two places of the text as one line."""
    parts: list[str] = []
    _append(doc, element, start, end, parts, 0)
    return " ".join("".join(parts).split())


def _append(doc: Markup, element: int, start: int, end: int, parts: list[str], depth: int) -> None:
    """Append the text of an element between two places."""
    nexts, text = doc.nexts, doc.text
    child, stop = element + 1, nexts[element]
    while child < stop:
        if start <= doc.starts[child] and doc.ends[child] <= end:
            parts.append(text[start : doc.starts[child]])
            _append_child(doc, child, end, parts, depth + 1)
            start = doc.ends[child]
        child = nexts[child]
    parts.append(text[start:end])


def _append_child(doc: Markup, child: int, end: int, parts: list[str], depth: int) -> None:
    """Append one child by the rule of its name; `end` is where the text around it ends."""
    name = doc.tag_names[child]
    if depth > _MAX_DEPTH:
        parts.append(doc.own_text(child))
    elif name in ("sup", "sub"):
        run: list[str] = []
        _append(doc, child, doc.starts[child], doc.ends[child], run, depth)
        _append_script("".join(run), parts, raised=name == "sup", after=_after(doc, child, end))
    elif name == "math":
        parts.append(_formula(doc, child, parts, formulas.linear_math(doc, child) or formulas.stated_math(doc, child)))
    elif name == "tex-math":
        parts.append(_formula(doc, child, parts, formulas.linear_tex(doc.own_text(child))))
    elif name == "alternatives":
        chosen = _alternative(doc, child)
        if chosen >= 0:
            _append_child(doc, chosen, doc.ends[child], parts, depth + 1)
        elif not doc.children(child):  # one form that is no formula
            parts.append(doc.own_text(child))
    elif name in BLOCKS:
        parts.append(" ")
        _append(doc, child, doc.starts[child], doc.ends[child], parts, depth)
        parts.append(" ")
    else:
        _append(doc, child, doc.starts[child], doc.ends[child], parts, depth)


def _last(parts: list[str]) -> str:
    return next((part for part in reversed(parts) if part), "")


def _append_script(run: str, parts: list[str], *, raised: bool, after: str) -> None:
    """Add what is raised or lowered, closed up to what it belongs to."""
    before = _last(parts)
    if parts and parts[-1] == before and scripts.stands_off(run, raised=raised, before=before, after=after):
        parts[-1] = before = before[:-1]
    parts.append(scripts.script_in_text(run, raised=raised, before=before, after=after))


def _formula(doc: Markup, element: int, parts: list[str], text: str) -> str:
    """Return a formula apart from the words that touch it."""
    return formulas.set_apart(text, _last(parts), doc.text[doc.ends[element] : doc.ends[element] + 16])


def _after(doc: Markup, element: int, end: int) -> str:
    """Return the text that touches the end of an element, "" where its line or block ends."""
    place, following = doc.ends[element], doc.nexts[element]
    at_block = (
        following < len(doc.tags)
        and doc.starts[following] == place
        and doc.tag_names[following] in BLOCKS
        and doc.ends[following] <= end
    )
    return "" if at_block else doc.text[place : min(place + scripts.NEIGHBOUR, end)]


def _alternative(doc: Markup, element: int) -> int:
    """Return the child of `alternatives` to read: MathML, else TeX, else the first with text; -1 for none."""
    children = doc.children(element)
    for wanted in ("math", "tex-math"):
        for child in children:
            if doc.tag_names[child] == wanted and doc.own_text(child).strip():
                return child
    return next((child for child in children if doc.own_text(child).strip()), -1)


def labelled_parts(doc: Markup, element: int) -> list[tuple[str, str]]:
    """Return (label, text) of the parts that bold run-in labels make of an AbstractText without a label.

    A bold run is a label when it stands at the start, after the end of a sentence or on a new line, is short, and
    a colon ends or follows it, or it is a usual name of a section (Methods, Results and discussion, …), or the text
    is glued to it ("Trial designWe randomised"). Its colon or full stop goes; what stands before the first label has
    the label "". All else in bold stays where it is.
    """
    begin, end = doc.starts[element], doc.ends[element]
    parts: list[tuple[str, str]] = []
    label, start = "", begin
    for child in doc.children(element):
        if doc.tag_names[child] not in _BOLD or doc.starts[child] < start:
            continue
        found = _run_in_label(doc, element, child, start)
        if found is not None:
            if label or doc.text[start : doc.starts[child]].strip():
                parts.append((label, line_between(doc, element, start, doc.starts[child])))
            label, start = found
    parts.append((label, line_between(doc, element, start, end)))
    return parts


def _run_in_label(doc: Markup, element: int, bold: int, start: int) -> tuple[str, int] | None:
    """Return the label that a bold run is and where the text behind it begins; None when it is none."""
    text, end = doc.text, doc.ends[element]
    before, core = text[start : doc.starts[bold]], line(doc, bold)
    if before.strip() and not _CLOSED.search(before) and not _on_new_line(doc, bold):
        return None
    label = core.rstrip(" .:：-–—")
    follows = _COLON.match(text, doc.ends[bold], end)
    if not label[:1].isalpha() or len(label) > _MAX_LABEL_LETTERS or len(label.split()) > _MAX_LABEL_WORDS:
        return None
    known = _SECTION.fullmatch(label) is not None
    glued = label[-1].islower() and core == label and _GLUED.match(text, doc.ends[bold], end) is not None
    if not (follows or core.endswith((":", "：")) or known or glued):
        return None
    # "Results of the trial": a usual name, but the sentence goes on.
    if known and not follows and core == label and re.match(r"\s*[a-z,]", text[doc.ends[bold] : end]):
        return None
    place = follows.end() if follows else doc.ends[bold]
    if known and (closing := re.compile(r"\s*[.–—-]\s").match(text, place, end)):
        place = closing.end()
    return label, place


def _on_new_line(doc: Markup, element: int) -> bool:
    """Say whether nothing but white space with a line break stands before an element."""
    place = doc.raw.rindex(b"<", 0, doc.rows[6, element])
    before = doc.raw[max(0, place - 80) : place]
    return b"\n" in before[len(before.rstrip()) :]
