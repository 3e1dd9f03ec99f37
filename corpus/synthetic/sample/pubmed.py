"""PubMed writer: citations and deletions to the bytes of one pubmedYYnNNNN.xml, in NLM's form.

Element order and attributes follow NLM's DTD of January 2025, as far as the fields of `model.Citation` reach.
A record ends its line, as in NLM's files; titles and abstracts are mixed content.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from xml.sax.saxutils import escape, quoteattr

from corpus.synthetic.sample.model import Citation, OtherText, Reference, SamplePart
from corpus.synthetic.sample.text import MARK

_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" \
"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">
<PubmedArticleSet>
"""
_FOOT = "</PubmedArticleSet>"
_TAGS = {"i": "i", "b": "b", "sup": "sup", "sub": "sub"}
_MATHML = "http://www.w3.org/1998/Math/MathML"
_UIS = {
    "Journal Article": "D016428",
    "Review": "D016454",
    "Retracted Publication": "D016441",
    "Retraction of Publication": "D016440",
    "Published Erratum": "D016425",
    "Letter": "D016422",
    "Case Reports": "D002363",
}


def pubmed_xml(citations: Iterable[Citation], deletions: Iterable[int] = (), *, raw: Iterable[str] = ()) -> bytes:
    """Return a whole file; `raw` pieces are put before the deletions as they are."""
    records = [_book(one) if one.book else _article(one) for one in citations]
    gone = "".join(f'<PMID Version="1">{pmid}</PMID>\n' for pmid in deletions)
    tail = f"<DeleteCitation>\n{gone}</DeleteCitation>\n" if gone else ""
    return "".join([_HEAD, *records, *raw, tail, _FOOT]).encode()


def math_ml(formula: str, *, prefix: str = "mml:", declare: str = "") -> str:
    """Return a formula such as K=3.4 as MathML, each letter, sign and number an element of its own."""
    names = {"letter": "mi", "number": "mn", "sign": "mo"}
    tokens = re.finditer(r"(?P<letter>[A-Za-z])|(?P<number>[\d.]+)|(?P<sign>\S)", formula)
    body = "".join(
        f"<{prefix}{names[token.lastgroup or 'sign']}>{escape(token[0])}</{prefix}{names[token.lastgroup or 'sign']}>"
        for token in tokens
    )
    return f"<{prefix}math{declare}><{prefix}mrow>{body}</{prefix}mrow></{prefix}math>"


def _mixed(text: str) -> str:
    """Return marked text as NLM's mixed content."""
    pieces, end = [], 0
    for match in MARK.finditer(text):
        pieces.append(escape(text[end : match.start()]))
        end = match.end()
        name, content = match[1], match[2]
        if name == "math":
            pieces.append(math_ml(content, declare=f' xmlns:mml="{_MATHML}"'))
        else:
            pieces.append(f"<{_TAGS[name]}>{escape(content)}</{_TAGS[name]}>")
    return "".join([*pieces, escape(text[end:])])


def _article(one: Citation) -> str:
    doi = f'<ELocationID EIdType="doi" ValidYN="Y">{escape(one.doi)}</ELocationID>' if one.doi else ""
    vernacular = f"<VernacularTitle>{_mixed(one.vernacular_title)}</VernacularTitle>" if one.vernacular_title else ""
    version = f' VersionID="{one.version}" VersionDate="{one.year}/06/01"' if one.version > 1 else ""
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"{version}>'
        f'<PMID Version="{one.version}">{one.pmid}</PMID>'
        "<DateRevised><Year>2026</Year><Month>01</Month><Day>15</Day></DateRevised>"
        f'<Article PubModel="Print"><Journal><ISSN IssnType="Print">0000-0019</ISSN>'
        f'<JournalIssue CitedMedium="Print"><Volume>{one.year - 1970}</Volume><Issue>1</Issue>{_date(one)}'
        f"</JournalIssue><Title>{_mixed(one.journal)}</Title></Journal>"
        f"<ArticleTitle>{_mixed(one.title)}</ArticleTitle><Pagination><MedlinePgn>1-9</MedlinePgn></Pagination>{doi}"
        f"{_abstract(one)}{_authors(one)}<Language>{one.language}</Language>{_types(one)}{vernacular}</Article>"
        f"<MedlineJournalInfo><MedlineTA>{_mixed(one.journal)}</MedlineTA></MedlineJournalInfo>"
        f"{_relations(one)}{_mesh(one)}{''.join(map(_other, one.other))}{_keywords(one)}</MedlineCitation>"
        '<PubmedData><History><PubMedPubDate PubStatus="pubmed"><Year>2026</Year><Month>1</Month><Day>2</Day>'
        f"</PubMedPubDate></History><PublicationStatus>ppublish</PublicationStatus>{_own_ids(one)}"
        f"{_references(one.references)}</PubmedData></PubmedArticle>\n"
    )


def _book(one: Citation) -> str:
    """Return a PubmedBookArticle: a chapter with a title, an abstract and the book's date."""
    return (
        f'<PubmedBookArticle><BookDocument><PMID Version="{one.version}">{one.pmid}</PMID><ArticleIdList>'
        f'<ArticleId IdType="bookaccession">NBK{one.pmid}</ArticleId></ArticleIdList><Book><Publisher>'
        f"<PublisherName>Sample Press</PublisherName></Publisher><BookTitle>{_mixed(one.journal)}</BookTitle>"
        f"<PubDate><Year>{one.year}</Year></PubDate></Book>"
        f'<ArticleTitle book="sample" part="chapter{one.pmid}">{_mixed(one.title)}</ArticleTitle>'
        f"<Language>{one.language}</Language>{_authors(one)}"
        f'<PublicationType UI="D016454">Review</PublicationType>{_abstract(one)}'
        f"<Sections><Section><SectionTitle>Introduction</SectionTitle></Section></Sections></BookDocument>"
        "<PubmedBookData><PublicationStatus>ppublish</PublicationStatus><ArticleIdList>"
        f'<ArticleId IdType="pubmed">{one.pmid}</ArticleId></ArticleIdList></PubmedBookData></PubmedBookArticle>\n'
    )


def _date(one: Citation) -> str:
    dates = {
        "month": f"<Year>{one.year}</Year><Month>Mar</Month>",
        "year": f"<Year>{one.year}</Year>",
        "season": f"<Year>{one.year}</Year><Season>Fall</Season>",
        "medline": f"<MedlineDate>{one.year} Dec-{one.year + 1} Jan</MedlineDate>",
    }
    return f"<PubDate>{dates[one.date]}</PubDate>"


def _abstract(one: Citation) -> str:
    if not one.abstract:
        return ""
    parts, copyright_line = list(one.abstract), ""
    if one.copyright and one.copyright_inside:
        parts[-1] = replace(parts[-1], text=f"{parts[-1].text} {one.copyright}")
    elif one.copyright:
        copyright_line = f"<CopyrightInformation>{escape(one.copyright)}</CopyrightInformation>"
    return f"<Abstract>{''.join(map(_part, parts))}{copyright_line}</Abstract>"


def _part(part: SamplePart) -> str:
    label = "" if part.label is None else f" Label={quoteattr(part.label)}"
    category = f' NlmCategory="{part.category}"' if part.category else ""
    return f"<AbstractText{label}{category}>{_mixed(part.text)}</AbstractText>"


def _other(other: OtherText) -> str:
    return (
        f'<OtherAbstract Type="{other.type}" Language="{other.language}">'
        f"<AbstractText>{_mixed(other.text)}</AbstractText></OtherAbstract>"
    )


def _authors(one: Citation) -> str:
    names = "".join(
        f'<Author ValidYN="Y"><LastName>{escape(surname)}</LastName><ForeName>{escape(forename)}</ForeName>'
        f"<Initials>{forename[0]}</Initials></Author>"
        for surname, forename in one.authors
    )
    return f'<AuthorList CompleteYN="Y">{names}</AuthorList>' if names else ""


def _types(one: Citation) -> str:
    types = "".join(f'<PublicationType UI="{_UIS[name]}">{name}</PublicationType>' for name in one.types)
    return f"<PublicationTypeList>{types}</PublicationTypeList>"


def _relations(one: Citation) -> str:
    entries = "".join(
        f'<CommentsCorrections RefType="{relation.type}"><RefSource>{escape(relation.source)}</RefSource>'
        + (f'<PMID Version="1">{relation.pmid}</PMID>' if relation.pmid else "")
        + "</CommentsCorrections>"
        for relation in one.relations
    )
    return f"<CommentsCorrectionsList>{entries}</CommentsCorrectionsList>" if entries else ""


def _mesh(one: Citation) -> str:
    headings = "".join(
        f'<MeshHeading><DescriptorName UI="D000001" MajorTopicYN="N">{escape(name)}</DescriptorName></MeshHeading>'
        for name in one.mesh
    )
    return f"<MeshHeadingList>{headings}</MeshHeadingList>" if headings else ""


def _keywords(one: Citation) -> str:
    words = "".join(f'<Keyword MajorTopicYN="N">{_mixed(word)}</Keyword>' for word in one.keywords)
    return f'<KeywordList Owner="NOTNLM">{words}</KeywordList>' if words else ""


def _own_ids(one: Citation) -> str:
    return f"<ArticleIdList>{_ids(one.pmid, one.pmcid, one.doi)}</ArticleIdList>"


def _ids(pmid: int | None, pmcid: int | None, doi: str | None) -> str:
    ids = {"pubmed": pmid, "pmc": f"PMC{pmcid}" if pmcid else None, "doi": doi}
    return "".join(
        f'<ArticleId IdType="{kind}">{escape(str(value))}</ArticleId>' for kind, value in ids.items() if value
    )


def _references(references: tuple[Reference, ...]) -> str:
    """Return the reference list, whose ids look just like the record's own."""
    entries = "".join(
        f"<Reference><Citation>{escape(one.text)}</Citation>"
        f"<ArticleIdList>{_ids(one.pmid, one.pmcid, one.doi)}</ArticleIdList></Reference>"
        for one in references
    )
    return f"<ReferenceList>{entries}</ReferenceList>" if entries else ""
