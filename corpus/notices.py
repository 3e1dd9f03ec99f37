"""Notices at the end of an abstract: what publishers and NLM say about the paper, and not the paper about its matter.

Copyright lines, "This article is protected by copyright", PsycInfo's line, NLM's marks of truncation, the paper's own
citation and DOI, pointers to videos, supplements, special issues and the correspondent. A notice is one sentence or
several at the very end, each begun where a sentence may begin, so that words about copyright or videos stay. What
closes the label of a part is no part of it either.
"""

import re
from functools import lru_cache
from typing import Final

_MOST: Final = 400  # characters of one notice at most
# One of these is in every notice, the digit that ends a citation apart; in few other abstracts, for it is asked of all.
_HINTS: Final = (
    *("copyright", "©", "(c)", "reserved", "abstract", "special", "theme", "suppl", "supporting", "cite", "doi"),
    *(
        "http",
        "@",
        "published",
        "psyc",
        "article is",
        "guest ed",
        ": see text]",
        "other articles",
        "keyword",
        "key word",
    ),
    *(
        "open access",
        "open-access",
        "[references",
        " ref)",
        " refs)",
        " ref.)",
        "in this issue",
        "editorial",
        "on page",
    ),
    *("commentary", "related article", "publication date", "editors", "this corrects", "this retracts", "permission"),
)
_NEAR: Final = 250  # characters from the end in which a hint stands
# What the kinds below write in angle brackets.
_PARTS: Final = {
    "<year>": r"(?:19|20)\d\d\b",
    "<holder>": (
        r"\b(?:Inc|Ltd|LLC|GmbH|B\.V|AG|Elsevier|Wiley|Springer|Karger|Thieme|Lippincott|Press|Society|Authors?)\b"
    ),
    "<files>": (
        r"(?:data|information|materials?|files?|figures?|tables?|movies?|videos?|(?:[Dd]igital )?[Cc]ontents?"
        r"|documents?|appendix)"
    ),
    "<rest>": r"(?:(?!\.\s+[A-Z]).){,300}",  # of the sentence
}
_COPYRIGHT: Final = (
    r"(?i:(?:Crown )?Copyright\s*(?:(?:©|\(c\)).|(?:of )?the authors?\b|[,:]?\s*<year>)).{,200}",
    r"[\[(]?©\s*(?:Copyright,?\s*)?(?:<year>|[A-Z]).{,200}",
    r"<year>\s?©.{,200}",
    r"\(c\)\s*<year>(?=.*(?:<holder>|rights reserved)).{,200}",  # a bare "(c) 2004" may be an item of a list
    r"(?:This (?:article|work) is )?[Pp]rotected by copyright\.?(?:\s*All rights reserved\.?)?",
    r"Published (?:\w+ )?(?:<year>[.,]?\s*)?(?:by|on behalf of)\b.{,120}(?:<holder>|rights reserved).{,80}",
    r"(?:Published <year>\.\s*)?This article is a U\.?S\.? Government work.{,120}",
    r"(?i:all rights reserved)\.?",
    r"[\[(]?\s*(?i:Psyc\s?(?:INFO|ARTICLES) Database Record\b).{,100}",
    r"This is an open[ -]access (?:article|paper)\b.{,350}",
    r"For permissions?\b.{,80}(?i:contact|e-?mail).{,120}",
    r"[\[(]\s*(?i:ABSTRACT TRUNCATED)\b[^()\[\]]{,60}[\])]\.?",
    r"[\[(](?:(?i:references?):?\s*\d+|\d+\s+(?i:refs?|references?)\.?)[\])]\.?",
)
# What belongs to the paper and stands elsewhere.
_VIDEO: Final = (
    r"(?:(?:Please )?(?:See|Watch|View|Read|Download|Click here for)|For|To (?:view|see|watch))\s+"
    r"(?:(?:the|a|our|this|accompanying)\s)*(?i:(?:video|graphical|visual)[ -]abstract)\b<rest>",
    r"(?:(?:The|A|This)\s)?(?i:(?:video|graphical|visual)[ -]abstract)s?"
    r"(?:\s*[.:]|\s+(?i:of this article|for this article|is available|available|can be|at http)|\s*\Z)<rest>",
    r"\[(?i:video|figure|graphic|image|table): see text\]\.?",
)
_ISSUE: Final = (
    r"(?:This (?:article|paper|review|contribution|work) is (?:also )?)?"
    r"(?:[Pp]art of|included in|published as part of) (?:the|a|an|our) "
    r"(?i:.{,40}?(?:themed?|special|virtual|thematic|discussion meeting|topical)\s"
    r"(?:issue|section|collection|series))\b<rest>",
    r"(?:LINKED ARTICLES?:?\s*)?This article is part of (?:a|the) (?i:themed|special|virtual) <rest>",
    r"To view (?:the|all) other articles in this (?:section|issue)\b<rest>",
    r"This article is categorized under:<rest>",
    r"Guest [Ee]ditors?:.{,120}",
    r"\(?[Ss]ee (?:also )?(?:(?:the|an?|related|accompanying) )*"
    r"(?i:editorial|commentary|comment|article|perspective|viewpoint|review)s?\b"
    r"(?=.{,80}(?:\bpages?\s|\bpp?\.?\s*\d|in this issue))<rest>",
    r"(?:Expected )?[Ff]inal online publication date for\b<rest>(?:\. Please see .{,150})?",
    r"Please see later in the article for the Editors['’] Summary\.?",
    r"\[?This (?:corrects|retracts|amends) the article\b<rest>",
)
_SUPPLEMENT: Final = (
    r"(?:(?i:supplement(?:ary|al) <files>|electronic supplementary material|supporting information)\s*[:.]\s*)?"
    r"(?:The )?[Oo]nline version (?:of this article )?(?:\([^()]{,80}\) )?"
    r"(?:is available with|contains) .{,30}suppl?ementary<rest>",
    r"(?:(?i:supplement(?:ary|al) <files>)\s*:\s*)?(?:Additional |Further |Online |Electronic )?"
    r"(?i:supplement(?:ary|al)|supporting|additional supporting|electronic supplementary) <files>"
    r"(?: for this (?:article|paper))?,? "
    r"(?i:are|is|may be|can be) (?i:also )?(?i:available|found|accessed|accessible|provided)<rest>",
)
_OWN: Final = (
    r"(?:Please cite (?:this|the) (?:article|paper)|(?:How to c|C|To c)ite this (?:article|paper)).{,10}:? .{,300}",
    r"\(?(?:[A-Z][\w.&:-]*,? ){1,9}(?:<year>(?: [A-Z][a-z]{2}(?: \d+)?)?;\s?\d+(?:\s?\([^()]{,12}\))?:\s?[A-Za-z]?\d+"
    r"(?:[-–][A-Za-z]?\d+)?|\d+(?:\s?\([^()]{,12}\))?:\s?[A-Za-z]?\d+[-–][A-Za-z]?\d+,? \(?<year>\)?)\)?\.?",
    r"(?:[A-Z][\w.&:-]* ){,5}[A-Z][\w.&-]*; \d+\s?\(\d+\);? \d+[-–]\d+\.?",
    r"(?:KEY ?WORDS?|Key[ -]?words?)\s?[:.—–-]\s<rest>",
    r"(?i:doi)\s*:?\s*(?:https?://(?:dx\.)?doi\.org/)?10\.\d{4,9}/\S+",
    r"https?://(?:dx\.)?doi\.org/10\.\d{4,9}/\S+",
    r"(?i:contacts?|correspond(?:ence|ing author)(?: to| address)?|e-?mails?(?: address(?:es)?)?)"
    r"\s?:?\s.{,120}\S@\S+\.\w+\.?",
)
_DOI_LINE = re.compile(r"\s*(?i:doi)?\s*:?\s*(?:https?://(?:dx\.)?doi\.org/)?10\.\d{4,9}/\S+\s*")
_BEGIN = r"(?:\A|(?<=[.!?)\]”’\"'])\s+|(?<=[.!?)\]”’\"'])(?=\(ABSTRACT TRUNC)|(?=\(ABSTRACT TRUNC))"


def _pattern() -> str:
    kinds = "|".join(f"(?:{kind})" for kind in (*_COPYRIGHT, *_VIDEO, *_ISSUE, *_SUPPLEMENT, *_OWN))
    for name, part in _PARTS.items():
        kinds = kinds.replace(name, part)
    return rf"{_BEGIN}(?:{kinds})\s*\Z"


_NOTICE = re.compile(_pattern(), re.DOTALL)
_NONE = re.compile(
    r"[\[(]?\s*(?:(?:this (?:article|paper) has )?(?:no|an)?\s*abstracts?\s*(?:is|was)?"
    r"\s*(?:not\s*available|unavailable|available)?|not available|unavailable|none|n/?a)\s*\.?\s*[\])]?\s*\.?",
    re.IGNORECASE,
)

# A full stop behind these is theirs.
_ABBREVIATIONS: Final = frozenset(["al", "approx", "etc", "inc", "ltd", "no", "nos", "vol", "vs"])
_CLOSING: Final = " :;–—"


def without_notices(text: str) -> tuple[str, str]:
    """Return a text without the notices that end it, and those as they stood, "" when there are none."""
    rest = text
    while rest and (place := _last_notice(rest)) >= 0:
        rest = rest[:place].rstrip()
    return (rest, text[len(rest) :].strip()) if len(rest) < len(text) else (text, "")


def is_doi_line(text: str) -> bool:
    """Say whether a line is the paper's or figure's own DOI and nothing else: "DOI: http://dx.doi.org/10.7554/…"."""
    return len(text) < 120 and "10." in text and _DOI_LINE.fullmatch(text) is not None


def is_no_abstract(text: str) -> bool:
    """Say whether a text only says that there is no abstract: "Not available.", "[No abstract available]"."""
    return len(text) < 40 and _NONE.fullmatch(text) is not None


def _hints_at_notice(tail: str) -> bool:
    for hint in _HINTS:  # noqa: SIM110  a third faster than any()
        if hint in tail:
            return True
    return False


def _last_notice(text: str) -> int:
    """Return where the notice that ends a text begins, -1 when none does."""
    tail = text[-_NEAR:].lower()
    cites_itself = tail.rstrip(" ).")[-1:].isdigit()
    if not cites_itself and not _hints_at_notice(tail):
        return -1
    found = _NOTICE.search(text, max(len(text) - _MOST, 0))
    return found.start() if found else -1


@lru_cache(maxsize=1 << 12)
def plain_label(label: str) -> str:
    """Return a label without the colon, dash or full stop that closes it: "Background" for "Background." or "AIM :".

    The full stop of an abbreviation stays ("in the U.S.", "vol."), question marks too.
    """
    plain = label.strip().rstrip(_CLOSING)
    while plain.endswith("."):
        last = plain[:-1].rpartition(" ")[2]
        if "." in last.rstrip(".") or last.lower() in _ABBREVIATIONS:
            break
        plain = plain[:-1].rstrip(_CLOSING)
    return plain
