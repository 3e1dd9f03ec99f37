"""Several forms of one thing: which of them is read, wherever they stand.

Publishers give a formula as MathML, TeX and a picture, a table as rows and a picture, a figure as code and its output.
The forms lie in `alternatives`, or side by side without it. Of the forms that have text the best is read: never two,
never none.
"""

import re
from functools import lru_cache

from corpus.ncbi.jats.vocabulary import DECISIONS
from corpus.ncbi.markup.document import Markup
from corpus.ncbi.markup.formulas import linear_math, tex_source

ALTERNATIVES = frozenset(DECISIONS["forms"]["alternatives"])
DROPPED = frozenset(name for names in DECISIONS["dropped"].values() for name in names)
# Forms by how well they are read: structure before notation before plain text; the first of one kind counts.
_RANKS = {"math": 0, "tex-math": 1, "table": 2, "array": 3}
_OTHER = 4
_FORMULA_FORMS = ALTERNATIVES | {"math", "tex-math", "textual-form"}
_ENGLISH = re.compile("en(?:g|$|[-_])", re.IGNORECASE)


def choose(doc: Markup, element: int) -> int:
    """Return the form to read of an element that holds several, -1 when none of them has text.

    A form in another language than English counts only when there is no other.
    """
    forms = [child for child in doc.children(element) if _has_text(doc, child)]
    return min(forms, key=lambda form: (_is_foreign(doc, form), _rank(doc, form)), default=-1)


def surplus(doc: Markup, element: int) -> list[int]:
    """Return the forms directly in a formula that say again what a better form beside them says.

    Several of the best kind are parts of one formula; alternatives are of the kind of the best form in them.
    """
    forms = [child for child in doc.children(element) if doc.tag_names[child] in _FORMULA_FORMS]
    if len(forms) < 2:
        return []
    kinds = {form: _kind(doc, form) for form in forms if _has_text(doc, form)}
    best = min(kinds.values(), default=_OTHER)
    # MathML without text may still state an annotation, which is for where nothing else has text.
    silent = [form for form in forms if kinds and form not in kinds and doc.tag_names[form] == "math"]
    return silent + [form for form in forms if kinds.get(form, best) != best]


def is_beside_math(doc: Markup, element: int, before: int) -> bool:
    """Say whether MathML with text is the next neighbour of a formula; `before` is the last MathML that was read."""
    after = doc.nexts[element]
    neighbours = []
    if before >= 0 and doc.nexts[before] == element and doc.parents[before] == doc.parents[element]:
        neighbours.append(doc.text[doc.ends[before] : doc.starts[element]])
    if after < doc.nexts[doc.parents[element]] and doc.tag_names[after] == "math" and _has_text(doc, after):
        neighbours.append(doc.text[doc.ends[element] : doc.starts[after]])
    return any(not between.strip() for between in neighbours)


def _kind(doc: Markup, form: int) -> int:
    inner = choose(doc, form) if doc.tag_names[form] in ALTERNATIVES else form
    return _rank(doc, inner) if inner >= 0 else _OTHER


def _rank(doc: Markup, form: int) -> int:
    return _RANKS.get(doc.tag_names[form], _OTHER)


def _has_text(doc: Markup, form: int) -> bool:
    """Say whether a form says anything: neither empty MathML nor the preamble of TeX alone does."""
    text, name = doc.own_text(form), doc.tag_names[form]
    if name in DROPPED:
        return False
    if name in ALTERNATIVES:
        return choose(doc, form) >= 0
    if name == "tex-math":
        return bool(tex_source(text).strip(" $"))
    annotated = name == "math" and ("annotation" in doc.tag_names[form : doc.nexts[form]])
    return bool(text.strip()) and (not annotated or bool(linear_math(doc, form).strip()))


@lru_cache(maxsize=256)
def _is_other_language(language: str) -> bool:
    return bool(language) and not _ENGLISH.match(language)


def _is_foreign(doc: Markup, form: int) -> bool:
    tag = doc.start_tag(form)
    return b"lang" in tag and _is_other_language(doc.attributes(form).get("lang", ""))
