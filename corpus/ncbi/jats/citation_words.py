"""Words and patterns around citations by number: what goes with a number, and what cannot stand without it.

`corpus.ncbi.jats.citations` decides by them. Its control characters stand here: OPEN and CLOSE around a number to
decide on, GONE in place of a removed citation.
"""

import re

OPEN, CLOSE, GONE = "\x01", "\x02", "\x03"
DASHES = "–—‒‐‑−-"
SEPARATORS = r"\s,;:.–—‒‐‑−\-\[\]()"
_UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"  # marks of direction and joining

_PLAIN_NUMBER = r"\d{1,3}[a-z]?"
# "5", "5a", "S5", "1024" (years begin with 1500), a letter or a Roman numeral for a number; reviews mark what is of
# interest: "5••".
_NUMBER = r"(?:(?:[A-Za-z]?\d{1,3}[a-z]?|1[0-4]\d\d|[A-Za-z]|[IVX]{2,5})(?:[•●∙]{1,3}|\*{1,3})?)"
NUMBERS = re.compile(rf"[\[(]?\s*{_NUMBER}(?:[{SEPARATORS}]+{_NUMBER})*[{SEPARATORS}]*")
NAMED_NUMBER = re.compile(r"((?:[Rr]efs?\.?|[Rr]eferences?) ?)(\d[^A-Za-z]*)")  # "ref. 5" within the link
ITEM = rf"{OPEN}[^{CLOSE}]*{CLOSE}|{GONE}"
# A place in the work that is cited: "p12", "pp. 15,35–40", "ch. 7".
_PLACE = (
    r"\b(?:pp?|pages?|ch|chaps?|chapters?|vols?|volumes?|sections?|sects?|nos?)\.?\s*[A-Za-z]?\d+[a-z]?"
    rf"(?:\s*[,{DASHES}]\s*\d+)*"
)
PLACE = re.compile(rf"[{SEPARATORS}]*{_PLACE}[{SEPARATORS}]*", re.IGNORECASE)
# Behind a citation "p53" is a page, before it a name: "(p53; [5])", "(Pv02; [5])".
NAME_FIRST = re.compile(rf"[^{OPEN}{GONE}]*\b[Pp][A-Za-z]?\d")
# Brackets of their own, beside which a bare number is none of theirs: "(6, [5])".
OWN_BRACKETS = re.compile(rf"\[[^\[\]{OPEN}]*{OPEN}[^\[\]]*\]")
BARE_NUMBER = re.compile(rf"\b{_PLAIN_NUMBER}\b")
ENDS_CITED = (CLOSE, f"{CLOSE}]", f"{CLOSE})")
VALUE = re.compile(r"\d")
DECIMAL = re.compile(r"\d\.\d")  # beside a citation: a measurement, no reference
# A range whose first thousands a publisher took for a citation: "[<23>,326–262,348]".
THOUSANDS = re.compile(rf"[\[(]{OPEN}\d{{1,3}}{CLOSE},(\d{{3}})\s?[{DASHES}]\s?(\d{{1,3}}),\d{{3}}[\])]")
RAISED_FILLER = re.compile(
    rf"(?:(?i:{_PLACE})|[{SEPARATORS}*†•●∙&]|\d++[a-z]?|\b(?i:and|or|to|refs?|references?|see|also|e\.g|cf)\b)*"
)
PLAIN_FILLER = re.compile(rf"[{SEPARATORS}{_UNSEEN}]*")
_FILLER_PARTS = (
    rf"{_PLACE}|\b(?:for|on)\b[^,;()\[\]]{{1,70}},?\s(?:please )?(?:also )?see\b|[{SEPARATORS}{_UNSEEN}&/*†•●∙]++|"
    r"\breference numbers?\b|"
    r"\b(?:and|to|or|but|although|though|please|e\.g|i\.e|see|also|cf|eg|refs?|references?|citations?|"
    r"for|an?|reviews?|reviewed|in|examples?|instance|therein|compare|details)\b|"
    r"\b(?:adapted|modified|reproduced|reprinted|retrieved|redrawn|taken)(?: with (?:kind |the )*permission)? from\b"
)
FILLER = re.compile(rf"(?:{_FILLER_PARTS}|\b(?-i:{_PLAIN_NUMBER})\b)*", re.IGNORECASE)
# Nor does this without numbers beside the citation: "as described in [5]", "see [5] for details"; "from 8 to 90" does.
LEADING = re.compile(
    rf"(?:{_FILLER_PARTS}|"
    rf"\bsee(?=\s\s|\s*[\[(]\s*[\])])(?:[{SEPARATORS}]|(?:and|or)\b|&)*+(?:for|on|regarding)\b[^,;()\[\]]{{1,70}}|"
    r"\b(?:the|by|from|as|according|recent|cited|described|detailed|discussed|given|listed|outlined|presented|quoted|"
    r"reported|shown|summari[sz]ed|demonstrated|elsewhere|extensively|previously|recently|similar|similarly|more|"
    r"further|information)\b)*",
    re.IGNORECASE,
)

# What a sentence cannot leave without the number behind it. "for" and "at" are no such words: "accounted for [5]".
_PREPOSITIONS = frozenset(
    [
        *("in", "by", "from", "of", "with", "to", "see", "on", "per", "than", "as", "via", "under", "using"),
        *("between", "like", "unlike", "versus", "vs", "vs.", "e.g.", "e.g", "i.e.", "cf.", "cf", "the"),
    ]
)
_REFERENCE = frozenset(["ref", "refs", "ref.", "refs.", "reference", "references", "citation", "citations"])
JOINING = frozenset({"and", "or", "&"})
NEEDING = _PREPOSITIONS | JOINING | _REFERENCE | frozenset(word.title() for word in _REFERENCE)
NEEDING_FIRST = frozenset(
    [*map(str.title, _PREPOSITIONS), "Following", "Both"]
)  # at the start of a sentence; else In is indium
# These go with a number that ends a clause: "in some settings, e.g. [5]."
LEAD_INS = ("e.g.", "e.g", "cf.", "cf", "e.g.,", "e.g,", "cf.,", "cf,")
LEAD_IN = re.compile(r"[\s,;(]+(?:\(?see,? (?:also )?)?(?:e\.g|cf)\.?,?\Z")
BEFORE_COMMA = frozenset({"e.g.", "e.g", "i.e.", "see", "cf.", "cf", "ref.", "refs.", "by", "and"})
# And not without a number that has no brackets, which may be a link to the wrong place.
_NUMBERED = ["table", "tables", "fig", "fig.", "figs.", "figure", "figures"]
NUMBERED = frozenset(
    [
        *_NUMBERED,
        *map(str.title, _NUMBERED),
        *["no.", "nos.", "number", "numbers", "Equation", "Eq.", "Eqs.", "Section", "Box", "Chapter"],
    ]
)
# "the country of study [5].", "as a reference [5]", "with [5] and without", "and so on [5]".
NOT_NEEDED = re.compile(
    r"(?:\b(?:an?|as|standard|our|internal|national|several|many|other|previous) references?|\band so on|\bboth"
    r"|\bin between|\bha(?:ve|d|s) to|\bsubject to|\bpart in|\bfocus on|\bwe see)\s*$",
    re.IGNORECASE,
)
WITHOUT = re.compile(r",? (?:and|or) without\b")
SENTENCE_START = re.compile(r"(?:\A|[.!?:;(\[])\s*\S+\s*\Z")
STOP = re.compile(r"\s*(?:[.,;:)\]]|\Z)")
PHRASE_ENDS = frozenset(["study", "paper", "article", "patent", "textbook", "also"])
NEEDING_PHRASE = re.compile(
    r"\b(?:(?:in|by|of|from|to|with|see) (?:study|paper|article|patent|textbook)|see also),?\s*$",
    re.IGNORECASE,
)
# What joins two citations to one group.
JOINT = rf"[\s,;{DASHES}]*(?:\b(?:and|or|to|as well as)\b\s*|&\s*)?"
JOINED = re.compile(JOINT)
CLAUSE_ENDS = (".", "!", "?", ",")
# Words that decide alone or may; nearly all others in front of a citation say that it is not needed.
TELLING = NEEDING | NUMBERED | NEEDING_FIRST | PHRASE_ENDS
CLAUSE_WORDS = frozenset(["that", "while", "whereas", "although", "because", "but"])
# A number may be who did it: "Later, [5] showed". Before it a sentence or clause begins.
BEFORE_SUBJECT = re.compile(
    r"(?:\A|(?<!\bal)(?<!\b[A-Z])[.!?]\s|(?:\A|(?<!\bal)[.!?] )[A-Z][a-z]+(?: [a-z0-9]+){0,5}(?<!\bal), "
    r"|\b(?i:that|while|whereas|although|because|but) )\Z"
)
SUBJECT = re.compile(
    rf"(?:{JOINT}[\[(]?{OPEN}[^{CLOSE}]*{CLOSE}[\])]?)*"
    r"\s(?:(?:also|all|both|have|has|had|recently|first|further|later|then)\s)*(?:show|report|f[io]und|ma[kd]e|propos|demonstrat|describ|"
    r"investigat|stud(?:y|ied)|use[ds]?\b|suggest|observ|present|develop|introduc|conclud|compar|provid|examin|argu|"
    r"claim|stat(?:e[sd]?)\b|analy[sz]ed|conducted|confirm|identif|is\b|was\b|are\b|were\b)"
)

# Where a bracket may be cut: before a part that is nothing but a citation.
PART_ENDS = re.compile(r"([,;]\s*|\s(?:and|or|&|as well as)(?=\s))(?![^(\[]*[)\]])", re.IGNORECASE)
LEFT_FIRST = re.compile(r"\A[,;:.]+(?=\s|\Z)")  # at the start of a line
LEFT_OPEN = re.compile(r"\A(?:[,;:.]\s*)*(?:(?:and|or|but)\s+|&\s*)?")  # behind a bracket that opens
LEFT_OVER = (" and", " or", " &")  # before a full stop

# Raised numbers that a sentence needs: the word before them, then all that is raised.
_GAP = "[ \u00a0\u2009\u202f]"
_RAISED_AFTER = ("in", "by", r"by\.", "from", "see", "to", "of", "with", "than", "refs?", r"refs?\.", "references?")
_LOOKBEHINDS = "|".join(
    rf"(?<={word}{gap}\x04)(?<![^\s(\[]{word}{gap}\x04)"
    for pattern in _RAISED_AFTER
    for word in ((pattern.replace("s?", ""), pattern.replace("s?", "s")) if "?" in pattern else (pattern,))
    for gap in ("", _GAP)
)
RAISED_NEEDED = re.compile(rf"\x04(?:{_LOOKBEHINDS})[\x01\x02\x04\x05\d{SEPARATORS}]*\x05", re.IGNORECASE)
RAISED_INSIDE = re.compile("\x01\x04([^\x01-\x07]*)\x05\x02")
