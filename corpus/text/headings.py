"""What a heading or a label of an abstract announces about the paper's making: funding, conflicts, ethics, files, …

A heading is told by its words, not by a list of whole headings: publishers write "Conflict of Interest", "Declaration
of competing interests" and "Disclosure of potential conflicts of interest" for one thing. Each kind has words of which
one must be there (for some kinds, one of each of two sets) and words that may stand beside them; any other word, and
the heading is about something else: "Conflict resolution", "Funding of primary care".
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

# Characters of a section or part at most, by kind: a longer one says more than its heading does, and stays.
CAPS: Final = {
    "data availability": 2_500,
    "funding": 2_000,
    "conflicts of interest": 5_000,
    "contributions": 4_000,
    "authors": 3_000,
    "acknowledgements": 4_000,
    "correspondence": 1_000,
    "supplement": 3_000,
    "review": 2_000,
    "publisher": 2_000,
    "members": 20_000,
    "references": 300_000,
    "declarations": 8_000,
    "ethics": 2_000,
    "keywords": 1_000,
    "registration": 1_500,
    "abbreviations": 10_000,
}
# Kinds that an option decides on; all others are always left out.
OPTIONAL: Final = ("ethics", "registration", "abbreviations")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GLUE: Final = _words(
    """
a an the of on for by to in and or our any this with from as at other all its their s statement statements
section information notes note details regarding about
    """
)
_AUTHOR: Final = _words("author authors author's authors' authorship coauthors investigator's")
_PAPER: Final = _words("article study paper manuscript work research trial project report publication")
_INTERESTS: Final = _words(
    """
conflict conflicts conflicting competing compete duality dual interest interests interests' disclosure
disclosures declaration declarations declare potential possible financial nonfinancial non non-financial
relationship relationships commercial personal relevant icmje form forms industry no none nothing statement
report reported declared disclose dualities affiliation affiliations support funding
    """
)
_FUNDING: Final = _words(
    """
funding fundings funder funders funder's fund funds sponsor sponsors sponsorship sponsoring grant grants
financial support source sources role acknowledgement acknowledgements acknowledgment acknowledgments body
bodies agency agencies number numbers disclosure disclosures organisation organization external statement
primary study received supporting declaration open access
    """
)
_DATA: Final = _words(
    """
data code codes software dataset datasets material materials resource resources reagent reagents source script
scripts accession number numbers supporting underlying raw original sequence sequences nucleotide genome
public research analysis sample samples metadata model models policy plan archiving
    """
)
_ETHICS: Final = _words(
    """
ethics ethic ethical ethically approval approvals consideration considerations issue issues aspect aspects
committee clearance review board boards standard standards compliance consent consents participate
participation publish informed human animal animals rights right permission permissions guideline guidelines
welfare use institutional irb iacuc patient patients participant participants subjects subject
declaration declarations helsinki registration waiver approved oversight protection regulatory governance
dissemination experiments experimentation involving written disclosure disclosures
    """
)
_FILES: Final = _words(
    """
supplement supplementary supplemental supplements supporting additional electronic online web extended only
data file files material materials content contents figure figures table tables appendix appendices video
videos movie movies available digital extra resource resources legends legend link links s1 file1
    """
)
_MEMBERS: Final = _words(
    """
member members list membership collaborators collaborator collaborating investigators investigator consortium
group groups committee committees team teams network board centers centres center centre sites site hospitals
institutions participating participants steering writing trial study contributors and contributing names
appendix
    """
)

_HeadingRule = tuple[str, tuple[frozenset[str], ...], frozenset[str]]


# Kind, sets of which each must have a word in the heading, and words that may stand beside them. The first rule that
# fits says the kind.
_RULES: Final[tuple[_HeadingRule, ...]] = (
    (
        "declarations",
        (_words("declaration declarations"),),
        _PAPER | _AUTHOR | _words("submission agreement statement"),
    ),
    (
        "declarations",
        (_words("declaration disclosure statement use"), _words("ai chatgpt llm intelligence")),
        _words(
            "declaration disclosure generative ai assisted ai-assisted technologies technology "
            "tools artificial intelligence "
            "scientific writing process use chatgpt llm large language models"
        ),
    ),
    (
        "contributions",
        (_words("contribution contributions contributed contributing"), _AUTHOR),
        _words("individual equal specific credit roles role statement authorship taxonomy"),
    ),
    (
        "contributions",
        (_words("contributorship contributors contributor"),),
        _AUTHOR | _words("credit guarantor guarantors"),
    ),
    (
        "contributions",
        (_words("credit"), _AUTHOR | _words("authorship")),
        _words("contribution contributions roles taxonomy"),
    ),
    ("contributions", (_words("credit"), _words("taxonomy")), _words("roles")),
    ("contributions", (_words("guarantor guarantors"),), _AUTHOR | _words("contributors")),
    (
        "conflicts of interest",
        (
            _words("interest interests"),
            _words(
                "conflict conflicts conflicting competing compete declaration declarations disclosure "
                "disclosures duality dualities dual "
                "financial non-financial nonfinancial commercial potential statement"
            ),
        ),
        _INTERESTS | _AUTHOR | _PAPER,
    ),
    (
        "conflicts of interest",
        (_words("industry commercial"), _words("affiliation affiliations relationship relationships")),
        _INTERESTS,
    ),
    ("conflicts of interest", (_words("coi"),), _INTERESTS | _AUTHOR),
    ("conflicts of interest", (_words("disclosure disclosures"),), _INTERESTS | _AUTHOR | _PAPER),
    (
        "funding",
        (_words("funding fundings funder funders funder's sponsor sponsors sponsorship"),),
        _FUNDING | _INTERESTS | _AUTHOR | _PAPER,
    ),
    (
        "funding",
        (_words("grant grants financial"), _words("support sponsor sponsors numbers number information assistance")),
        _FUNDING | _words("assistance") | _AUTHOR | _PAPER,
    ),
    ("funding", (_words("source sources"), _words("support")), _FUNDING | _PAPER),
    ("funding", (_words("grant grants"),), _words("numbers disclosures funders")),
    ("funding", (_words("support"), _words("statement")), frozenset()),
    (
        "data availability",
        (
            _words("availability accessibility sharing deposition deposited accession archiving access"),
            _DATA,
        ),
        _DATA
        | _PAPER
        | _words(
            "availability accessibility accessible sharing deposition deposited access accession archiving statement "
            "repository requirements"
        ),
    ),
    ("data availability", (_words("transparency"),), _words("data declaration declarations policy guidelines")),
    (
        "data availability",
        (_words("open"), _words("practices badges badge data science")),
        _words("research materials scholarship access declaration"),
    ),
    ("data availability", (_words("data"), _words("statement")), _words("research")),
    ("data availability", (_words("research"), _words("data"), _words("article")), frozenset()),
    ("data availability", (_words("lead"), _words("contact")), _words("materials availability")),
    ("data availability", (_words("reporting"), _words("summary")), _words("research nature")),
    (
        "acknowledgements",
        (_words("acknowledgement acknowledgements acknowledgment acknowledgments thanks"),),
        _AUTHOR | _FUNDING | _INTERESTS | _PAPER,
    ),
    (
        "authors",
        (_AUTHOR,),
        _words(
            "affiliation affiliations address addresses biography biographies biographical bio "
            "bios approval agreement current "
            "present corresponding contact profile profiles details"
        ),
    ),
    (
        "correspondence",
        (_words("correspondence corresponding"),),
        _AUTHOR | _words("address email e-mail requests reprints"),
    ),
    ("correspondence", (_words("contact contacts"),), frozenset()),
    ("correspondence", (_words("contact"), _words("information details address email e-mail")), _AUTHOR),
    ("correspondence", (_words("email e-mail emails"),), _AUTHOR | _words("address addresses contact")),
    ("correspondence", (_words("reprints reprint"),), _words("requests request address")),
    (
        "supplement",
        (
            _words("supplementary supplemental supplement supporting additional electronic online extended web"),
            _words(
                "data file files material materials content contents information figure figures table "
                "tables appendix appendices "
                "video videos movie movies resource resources extra"
            ),
        ),
        _FILES | _PAPER,
    ),
    ("supplement", (_words("multimedia"), _words("appendix appendices")), frozenset()),
    (
        "review",
        (_words("review reviewing reviewed"), _words("peer")),
        _words("provenance open transparent history process file"),
    ),
    (
        "review",
        (_words("history"), _words("publication pre-publication prepublication review article")),
        _words("peer"),
    ),
    ("review", (_words("reviewer reviewers"), _words("peer information disclosure disclosures")), frozenset()),
    ("review", (_words("preprint preprints"),), _words("server servers")),
    ("publisher", (_words("publisher's publishers publisher"),), _words("disclaimer")),
    ("publisher", (_words("disclaimer disclaimers"),), _PAPER | _AUTHOR | _words("legal")),
    ("publisher", (_words("rights"), _words("permission permissions")), frozenset()),
    ("publisher", (_words("article"), _words("information about")), frozenset()),
    ("publisher", (_words("prior"), _words("publication publications")), frozenset()),
    ("publisher", (_words("presented"),), _words("meeting conference part")),
    ("publisher", (_words("cite citing"),), _PAPER | _words("how please")),
    (
        "publisher",
        (_words("license licence copyright"),),
        _words("open access rights permissions statement creative commons"),
    ),
    (
        "publisher",
        (_words("permission permissions"), _words("reproduce reprint reuse reproduction")),
        _words("material materials copyrighted sources published previously figure figures image images third party"),
    ),
    (
        "publisher",
        (_words("presentation presentations presented"), _words("previous prior meeting conference")),
        _words("at"),
    ),
    ("publisher", (_words("citation"),), frozenset()),
    ("supplement", (_words("abstract"), _words("video")), frozenset()),
    ("keywords", (_words("keywords keyword key-words"),), _words("mesh terms index")),
    ("keywords", (_words("key"), _words("words word")), frozenset()),
    ("keywords", (_words("index"), _words("terms")), frozenset()),
    (
        "members",
        (
            _words("members membership collaborators investigators contributors"),
            _words("list members membership consortium collaborators participating"),
        ),
        _MEMBERS,
    ),
    ("members", (_words("participating"), _words("centers centres investigators hospitals institutions")), _MEMBERS),
    (
        "references",
        (_words("references reference bibliography"),),
        _words("cited literature further reading list additional web"),
    ),
    ("references", (_words("further suggested recommended"), _words("reading readings")), _words("additional")),
    ("references", (_words("literature works references reference"), _words("cited list")), _words("references")),
    (
        "registration",
        (_words("registration registrations registered registry clinicaltrials.gov nct isrctn prospero"),),
        _PAPER
        | _words(
            "clinical trials trail number numbers date identifier identifiers id registry "
            "registered prospero systematic review "
            "protocol clinicaltrials.gov url unique and/or"
        ),
    ),
    ("registration", (_words("evidence"), _words("level classification")), _words("therapeutic study")),
    ("ethics", (_words("ethics ethic ethical irb iacuc"),), _ETHICS | _PAPER),
    ("ethics", (_words("consent consents"),), _ETHICS | _PAPER | _words("publication")),
    ("ethics", (_words("institutional"), _words("review"), _words("board")), _ETHICS | _PAPER),
    ("ethics", (_words("human animal humans animals"), _words("rights welfare")), _ETHICS | _words("humans animals")),
    (
        "abbreviations",
        (_words("abbreviation abbreviations acronyms"),),
        _words("list used definitions nonstandard standard"),
    ),
)
_NUMBER: Final = re.compile(r"^(?:(?:section )?\d+(?:\.\d+)*|[IVX]+(?=[.)\s])|[A-Z](?=[.)]\s))[.)]?\s+")
_FOLDS: Final = str.maketrans(
    {"’": "'", "‘": "'", **dict.fromkeys("‐‑‒–−", "-"), "&": " ", "/": " ", "—": " ", "\u00ad": ""}
)
# A team has a name of any words.
_TEAM: Final = re.compile(
    r"(?:the )?(?:full )?(?:list of |appendix )?(?:the )?"
    r"(?:members|membership|composition|investigators|collaborators) (?:of|in|from|for) (?:the )?"
    r".*\b(?:group|consortium|committee|network|team|board|collaboration|collaborators|investigators|initiative|"
    r"trial|study|society)s?"
    r"|(?!focus).*\b(?:group|consortium|network|trial|study|team) (?:members|investigators|collaborators)"
    r"|collaborators|consortia"
)
_SLIP: Final = re.compile(
    r"\ba(?:c|k|ck|kc)n[ow]{0,2}l+[ed]{0,2}ge?m[a-z]{1,5}\b"
)  # "acknowlegements", "aknowledgemnts"
_SPLIT: Final = re.compile(r"[\s,;:()\[\]•*]+")


def plain_heading(heading: str) -> str:
    """Return a heading in small letters without its number, its dashes and apostrophes of one form."""
    return _NUMBER.sub("", heading.strip()).translate(_FOLDS).lower().replace("-of-", " of ").strip(" :.-*")


@lru_cache(maxsize=1 << 14)
def kind_of(heading: str) -> str:
    """Return the kind of section (`CAPS`) that a heading or a label announces, whatever its number, case and spelling.

    "" for one that announces none.
    """
    if len(heading) > 120:
        return ""
    plain = plain_heading(heading)
    if plain.startswith(("ac", "ak")):
        plain = _SLIP.sub("acknowledgements", plain, 1)
    if _TEAM.fullmatch(plain) is not None:
        return "members"
    found = frozenset(word.strip(".'\"") if word not in _AUTHOR else word for word in _SPLIT.split(plain) if word)
    found = frozenset(word for word in found if word.strip("-0123456789"))
    return next((kind for kind, needed, beside in _RULES if _fits(found, needed, beside)), "")


def _fits(found: frozenset[str], needed: Iterable[frozenset[str]], beside: frozenset[str]) -> bool:
    rest = found
    for one in needed:
        if not found & one:
            return False
        rest -= one
    return rest <= beside | _GLUE
