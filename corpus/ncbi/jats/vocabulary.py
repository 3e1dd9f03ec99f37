"""Vocabulary of JATS: the elements that the reader looks at; all others are transparent inline markup.

A name that is missing here is no loss of text: what stands in it is read with what surrounds it.
"""

from corpus.ncbi.markup.document import Vocabulary
from corpus.ncbi.markup.formulas import MATHML

_WRAPPERS = "article pmc-articleset OAI-PMH GetRecord record metadata"
_PARTS = "front front-stub body back floats-group floats-wrap sub-article response processing-meta"
_FRONT = """
article-meta journal-meta title-group article-title subtitle trans-title-group trans-title trans-subtitle abstract
trans-abstract pub-date year string-date article-id kwd-group kwd compound-kwd journal-title-group journal-title
abbrev-journal-title journal-id related-article
"""
_BLOCKS = """
p title label attrib sec boxed-text app app-group list list-item def-list def-item def term caption statement speech
speaker disp-formula disp-formula-group verse-group verse-line notes preformat code chem-struct chem-struct-wrap
disp-quote array fn fn-group ack glossary bio ref-list sec-meta textual-form
"""
_FLOATS = """
fig fig-group table-wrap table-wrap-group table table-wrap-foot supplementary-material media colspec thead tbody tfoot
tgroup tr row td th entry
"""
_INLINE = """
xref tex-math alternatives alt-text long-desc graphic inline-graphic inline-media object-id index-term
inline-formula
"""
# No element inside these is looked at: their text is dropped whole, or read from the bytes.
_OPAQUE = """
ref-list contrib-group aff aff-alternatives author-notes permissions license copyright-statement history counts
funding-group support-group custom-meta-group article-categories product self-uri sec-meta processing-meta pub-history
conference
"""
# References inside a paragraph need a space between all their parts, formulas all their structure.
_DETAILED = "math element-citation citation nlm-citation citation-alternatives"

# Parts of names, references and keywords: people read a gap where the XML has none between two of them.
_APART = """
name string-name person-group surname given-names suffix collab etal article-title source volume issue fpage lpage
publisher-name publisher-loc pub-id comment edition chapter-title conf-name compound-kwd-part
"""

JATS = Vocabulary(
    " ".join([_WRAPPERS, _PARTS, _FRONT, _BLOCKS, _FLOATS, _INLINE, *MATHML]).split(),
    opaque=_OPAQUE.split(),
    detailed=_DETAILED.split(),
    marks={"apart": _APART.split(), "spaced": ["break", "hr"], "raised": ["sup"], "lowered": ["sub"], "link": ["xref"]},
)
