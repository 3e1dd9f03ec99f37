"""JATS writer: one article to the bytes of its XML, and to the metadata that NCBI's bucket keeps of it.

Document types, namespaces, id spellings, dates and licences vary from article to article, as they do in PMC.
Field names of the metadata are those of NCBI's README of the bucket pmc-oa-opendata.
"""

import hashlib
import json
from xml.sax.saxutils import escape

from corpus.synthetic.sample.jats_body import NAMESPACES, floats_group, mixed, sections
from corpus.synthetic.sample.model import Article, OtherText, Reference, SamplePart

_DOCTYPES = (
    ("JATS (Z39.96) Journal Archiving and Interchange DTD v1.0 20120330", "JATS-archivearticle1.dtd"),
    ("JATS (Z39.96) Journal Archiving and Interchange DTD v1.1 20151215", "JATS-archivearticle1.dtd"),
    ("Journal Archiving and Interchange DTD v2.3 20070202", "archivearticle.dtd"),
    ("Journal Archiving and Interchange DTD v3.0 20080202", "archivearticle3.dtd"),
    (
        "JATS (Z39.96) Journal Archiving and Interchange DTD with MathML3 v1.2 20190208",
        "JATS-archivearticle1-mathml3.dtd",
    ),
    (
        "JATS (Z39.96) Journal Archiving and Interchange DTD with MathML3 v1.3 20210610",
        "JATS-archivearticle1-3-mathml3.dtd",
    ),
    ("JATS (Z39.96) Journal Archiving and Interchange DTD v1.1d3 20150301", "JATS-archivearticle1.dtd"),
    ("JATS (Z39.96) Journal Archiving and Interchange DTD v1.1d2 20140930", "JATS-archivearticle1.dtd"),
)
_SET_DOCTYPE = (
    '<!DOCTYPE pmc-articleset PUBLIC "-//NLM//DTD ARTICLE SET 2.0//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pmc/articleset/nlm-articleset-2.0.dtd">'
)

_CC = "http://creativecommons.org/licenses/"

# The licence as the XML states it ({link} is the xlink prefix), the code in the metadata, the SPDX name.
LICENCES = (
    ('<license license-type="open-access" {link}href="' + _CC + 'by/4.0/"><license-p>Open.</license-p></license>',
     "CC BY", "CC-BY-4.0"),
    ('<license {link}href="https://creativecommons.org/publicdomain/zero/1.0/"><license-p>CC0.</license-p></license>',
     "CC0", "CC0-1.0"),
    ('<license license-type="open-access" {link}href="' + _CC + 'by-nc/3.0"><license-p>NC.</license-p></license>',
     "CC BY-NC", "CC-BY-NC-3.0"),
    ('<license {link}href="https://creativecommons.org/licenses/by-nc-nd/4.0/"><license-p>ND.</license-p></license>',
     "CC BY-NC-ND", "CC-BY-NC-ND-4.0"),
    ('<license license-type="OpenAccess" {link}href="' + _CC + 'by-nc-sa/3.0/"><license-p>SA.</license-p></license>',
     "CC BY-NC-SA", "CC-BY-NC-SA-3.0"),
    ('<license license-type="open-access" {link}href="' + _CC + 'by/2.0"><p>This is open access.</p></license>',
     "CC BY", "CC-BY-2.0"),
    ('<license><license-p>Distributed under the <ext-link ext-link-type="uri" {link}href="' + _CC + 'by/3.0/">'
     "Attribution License</ext-link>, which permits use.</license-p></license>", "CC BY", "CC-BY-3.0"),
    ('<license><ali:license_ref xmlns:ali="http://www.niso.org/schemas/ali/1.0/">' + _CC + "by-sa/4.0/"
     "</ali:license_ref><license-p>Share alike.</license-p></license>", "CC BY-SA", "CC-BY-SA-4.0"),
    ('<license license-type="CC BY-ND" {link}href="' + _CC + 'by-nd/4.0/"><license-p>ND.</license-p></license>',
     "CC BY-ND", "CC-BY-ND-4.0"),
    ("<copyright-statement>© The Author(s)</copyright-statement>", "TDM", "TDM"),
)  # fmt: skip
NONCOMMERCIAL = tuple(index for index, (_, code, _) in enumerate(LICENCES) if "NC" in code)


def jats_xml(article: Article) -> bytes:
    """Return the XML file of one article; every other dialect writes non-ASCII letters as references."""
    dialect = article.dialect
    declared = NAMESPACES[dialect.namespaces][0]
    language = ' xml:lang="en"' if dialect.dates % 2 else ""
    public, system = _DOCTYPES[dialect.doctype]
    doctype = _SET_DOCTYPE if dialect.wrapped else f'<!DOCTYPE article PUBLIC "-//NLM//DTD {public}//EN" "{system}">'
    body = "" if article.body is None else f"<body>{_body(article)}</body>"
    text = (
        f'<article {declared} article-type="{article.article_type}"{language}><?properties open_access?>\n'
        f"{_front(article)}\n{body}\n{_back(article)}{floats_group(article)}{_reply(article)}</article>"
    )
    if dialect.wrapped:
        text = f"<pmc-articleset>{text}</pmc-articleset>"
    if dialect.doctype % 2:
        return f"{doctype}\n{text}\n".encode("ascii", "xmlcharrefreplace")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}\n{text}\n'.encode()


def metadata_json(article: Article, xml: bytes) -> bytes:
    """Return the metadata file of one article version."""
    name = f"PMC{article.pmcid}.{article.version}"
    content = {
        "pmcid": f"PMC{article.pmcid}",
        "version": article.version,
        "pmid": article.pmid,
        "doi": article.doi,
        "title": None,
        "citation": f"{article.journal}. {article.year}",
        "is_pmc_openaccess": not article.manuscript,
        "is_manuscript": article.manuscript,
        "is_historical_ocr": article.ocr,
        "is_retracted": article.retracted,
        "license_code": LICENCES[article.dialect.licence][1],
        "xml_url": f"s3://pmc-oa-opendata/{name}/{name}.xml?md5={hashlib.md5(xml, usedforsecurity=False).hexdigest()}",
    }
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _body(article: Article) -> str:
    loose = "".join(f"<p>{mixed(article, text)}</p>" for text in article.loose)
    return loose + sections(article, article.body or ())


def _front(article: Article) -> str:
    link = NAMESPACES[article.dialect.namespaces][3]
    subtitle = f"<subtitle>{mixed(article, article.subtitle)}</subtitle>" if article.subtitle else ""
    names = "".join(
        f'<contrib contrib-type="author"><name><surname>{escape(surname)}</surname>'
        f"<given-names>{escape(forename)}</given-names></name></contrib>"
        for surname, forename in article.authors
    )
    keywords = "".join(f"<kwd>{mixed(article, word)}</kwd>" for word in article.keywords)
    keyword_group = f'<kwd-group kwd-group-type="author">{keywords}</kwd-group>' if keywords else ""
    return (
        f"<front><journal-meta><journal-title-group><journal-title>{mixed(article, article.journal)}</journal-title>"
        '</journal-title-group><issn pub-type="epub">0000-0019</issn></journal-meta><article-meta>'
        f"{_ids(article)}<title-group><article-title>{mixed(article, article.title)}</article-title>{subtitle}"
        f"</title-group><contrib-group>{names}</contrib-group>{_dates(article)}<volume>{article.year - 1990}</volume>"
        f"<permissions>{LICENCES[article.dialect.licence][0].format(link=link)}</permissions>"
        f"{_abstract(article)}{''.join(_other(article, other) for other in article.other)}{keyword_group}"
        "</article-meta></front>"
    )


def _ids(article: Article) -> str:
    """Return the article's own ids; PMC writes its own in four ways."""
    kind, form = (("pmc", ""), ("pmcid", "PMC"), ("pmcid", ""), ("pmc", "PMC"))[article.dialect.ids]
    ids = [f'<article-id pub-id-type="{kind}">{form}{article.pmcid}</article-id>']
    ids += [f'<article-id pub-id-type="pmid">{article.pmid}</article-id>'] if article.pmid else []
    ids += [f'<article-id pub-id-type="publisher-id">sample-{article.pmcid}</article-id>']
    ids += [f'<article-id pub-id-type="doi">{escape(article.doi)}</article-id>'] if article.doi else []
    return "".join(ids)


def _dates(article: Article) -> str:
    year = f"<year>{article.year}</year>"
    later = f'<pub-date pub-type="collection"><year>{article.year + 1}</year></pub-date>'
    return (
        f'<pub-date pub-type="epub"><day>2</day><month>3</month>{year}</pub-date>',
        f'<pub-date pub-type="ppub"><month>4</month>{year}</pub-date>',
        f'{later}<pub-date pub-type="epub"><day>28</day><month>12</month>{year}</pub-date>',
        f'<pub-date date-type="pub" publication-format="electronic"><day>5</day><month>6</month>{year}</pub-date>',
    )[article.dialect.dates]


def _abstract(article: Article) -> str:
    if not article.abstract:
        return ""
    return f"<abstract>{''.join(_abstract_part(article, part) for part in article.abstract)}</abstract>"


def _abstract_part(article: Article, part: SamplePart) -> str:
    text = f"<p>{mixed(article, part.text)}</p>"
    return f"<sec><title>{escape(part.label)}</title>{text}</sec>" if part.label else text


def _other(article: Article, other: OtherText) -> str:
    text = f"<p>{mixed(article, other.text)}</p>"
    if other.language == "eng":
        return f'<abstract abstract-type="{other.type}">{text}</abstract>'
    return f'<trans-abstract xml:lang="de">{text}</trans-abstract>'


def _back(article: Article) -> str:
    parts = "".join(_back_part(article, kind, text) for kind, text in article.back)
    listed = "".join(_reference(number, one) for number, one in enumerate(article.references, start=1))
    return f"<back>{parts}<ref-list><title>References</title>{listed}</ref-list></back>\n"


def _back_part(article: Article, kind: str, text: str) -> str:
    content = mixed(article, text)
    if kind == "glossary":
        term, _, definition = content.partition(": ")
        entry = f"<def-item><term>{term}</term><def><p>{definition}</p></def></def-item>"
        return f"<glossary><title>Abbreviations</title><def-list>{entry}</def-list></glossary>"
    shapes = {
        "ack": f"<ack><title>Acknowledgments</title><p>{content}</p></ack>",
        "footnote": f'<fn-group><fn fn-type="COI-statement"><p>{content}</p></fn></fn-group>',
        "appendix": f'<app-group><app id="A1"><title>Appendix A</title><p>{content}</p></app></app-group>',
    }
    return shapes[kind]


def _reference(number: int, one: Reference) -> str:
    """Return one reference with no gaps between its parts, as many are in PMC."""
    doi = f'<pub-id pub-id-type="doi">{escape(one.doi)}</pub-id>' if one.doi else ""
    pmid = f'<pub-id pub-id-type="pmid">{one.pmid}</pub-id>' if one.pmid else ""
    pmc = f'<pub-id pub-id-type="pmcid">PMC{one.pmcid}</pub-id>' if one.pmcid else ""
    return (
        f'<ref id="B{number}"><label>{number}</label><mixed-citation publication-type="journal">'
        f"<source>{escape(one.text)}</source>{doi}{pmid}{pmc}</mixed-citation></ref>"
    )


def _reply(article: Article) -> str:
    """Return the letter of a reviewer that some articles carry behind their own text."""
    if not article.reply:
        return ""
    return (
        f'<sub-article article-type="decision-letter" id="SA1"><front-stub><title-group>'
        f"<article-title>Decision letter</article-title></title-group></front-stub>"
        f"<body><p>{mixed(article, article.reply)}</p></body></sub-article>"
    )
