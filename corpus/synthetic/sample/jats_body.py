"""JATS body writer: sections, blocks, floats and the marks inside a line.

The same meaning is spelled in many ways, as in PMC: citations in brackets, raised, or by author and year;
formulas in MathML, TeX or both; lists and formulas inside or beside a paragraph; floats in place or at the end.
"""

from xml.sax.saxutils import escape

from corpus.synthetic.sample.model import Article, SampleBlock, SampleFigure, SampleSection, SampleTable, TableCell
from corpus.synthetic.sample.pubmed import math_ml
from corpus.synthetic.sample.text import MARK

XLINK = "http://www.w3.org/1999/xlink"
MATHML = "http://www.w3.org/1998/Math/MathML"

# What <article> declares, the prefix of MathML, what each formula declares, the prefix of xlink.
NAMESPACES = (
    (f'xmlns:xlink="{XLINK}" xmlns:mml="{MATHML}"', "mml:", "", "xlink:"),
    (
        f'xmlns:ali="http://www.niso.org/schemas/ali/1.0/" xmlns:mml="{MATHML}" xmlns:xlink="{XLINK}"',
        "mml:",
        "",
        "xlink:",
    ),
    (f'xmlns:xlink="{XLINK}"', "", f' xmlns="{MATHML}"', "xlink:"),
    (f'xmlns:xl="{XLINK}" xmlns:m="{MATHML}"', "m:", "", "xl:"),
)
BRACKETS, SUPERSCRIPT, AUTHOR_YEAR = range(3)
MATHML_ONLY, ALTERNATIVES, TEX_ONLY = range(3)

_TAGS = {"i": "italic", "b": "bold", "sup": "sup", "sub": "sub"}
_TEX_HEAD = (
    "\\documentclass[12pt]{minimal} \\usepackage{amsmath} \\usepackage{mathrsfs} "
    "\\setlength{\\oddsidemargin}{-69pt} \\begin{document}$$"
)
_TEX_FOOT = "$$\\end{document}"
_SEC_TYPES = {
    "Introduction": "intro",
    "Materials and methods": "methods",
    "Results": "results",
    "Discussion": "discussion",
    "Conclusions": "conclusions",
}


def mixed(article: Article, text: str) -> str:
    """Return marked text as JATS mixed content in the article's own spelling."""
    pieces, end = [], 0
    for match in MARK.finditer(text):
        before, end, content = text[end : match.start()], match.end(), match[2]
        if match[1] == "cite":
            pieces.append(escape(before[:-1] if article.dialect.citation == SUPERSCRIPT else before))
            pieces.append(_cite(article, content))
        elif match[1] in ("fig", "table"):
            pieces.append(escape(before) + _xref(match[1], f"{match[1][0].upper()}{content}", content))
        elif match[1] == "math":
            pieces.append(f"{escape(before)}<inline-formula>{formula(article, content)}</inline-formula>")
        else:
            pieces.append(f"{escape(before)}<{_TAGS[match[1]]}>{escape(content)}</{_TAGS[match[1]]}>")
    return "".join([*pieces, escape(text[end:])])


def formula(article: Article, text: str) -> str:
    """Return a formula as MathML, as TeX in its full wrapper, or as alternatives of both."""
    prefix, declare, link = NAMESPACES[article.dialect.namespaces][1:]
    math = math_ml(text, prefix=prefix, declare=declare)
    tex = f'<tex-math id="M1">{escape(_TEX_HEAD + text + _TEX_FOOT)}</tex-math>'
    graphic = f'<inline-graphic {link}href="formula.gif"/>'
    return (math, f"<alternatives>{tex}{math}{graphic}</alternatives>", tex)[article.dialect.formula]


def sections(article: Article, parts: tuple[SampleSection, ...], *, path: str = "s") -> str:
    """Return nested sections."""
    return "".join(_section(article, part, f"{path}{place}") for place, part in enumerate(parts, start=1))


def floats_group(article: Article) -> str:
    """Return the figures and tables at the end of an article that keeps them there."""
    if not article.dialect.floats_group:
        return ""
    found = [_float(article, block) for block in _all_blocks(article.body or ()) if block.figure or block.table]
    return f"<floats-group>{''.join(found)}</floats-group>" if found else ""


def _all_blocks(parts: tuple[SampleSection, ...]) -> list[SampleBlock]:
    return [block for part in parts for block in (*part.blocks, *_all_blocks(part.sections))]


def _section(article: Article, part: SampleSection, name: str) -> str:
    kind = f' sec-type="{_SEC_TYPES[part.title]}"' if part.title in _SEC_TYPES else ""
    title = f"<title>{mixed(article, part.title)}</title>" if part.title else ""
    blocks = "".join(_block(article, block) for block in part.blocks)
    return f'<sec id="{name}"{kind}>{title}{blocks}{sections(article, part.sections, path=name + ".")}</sec>\n'


def _block(article: Article, block: SampleBlock) -> str:
    if block.figure or block.table:
        return "" if article.dialect.floats_group else _float(article, block)
    text = mixed(article, block.text)
    if block.kind in ("list", "formula"):
        inner = _list(article, block.items) if block.kind == "list" else _display(article, block.items[0])
        tail = f" {mixed(article, block.tail)}" if block.tail else ""
        if block.inside:
            return f"<p>{text}{inner}{tail}</p>"
        return f"<p>{text}</p>{inner}" + (f"<p>{tail.strip()}</p>" if tail else "")
    if block.kind == "box":
        items = "".join(f"<p>{mixed(article, item)}</p>" for item in block.items)
        return f'<boxed-text position="float"><caption><title>{text}</title></caption>{items}</boxed-text>'
    if block.kind == "supplement":
        link = NAMESPACES[article.dialect.namespaces][3]
        return (
            '<supplementary-material content-type="local-data" id="S1"><label>Additional file 1</label><caption>'
            f'<p>{text}</p></caption><media {link}href="s1.pdf"/></supplementary-material>'
        )
    shapes = {
        "paragraph": f"<p>{text}</p>",
        "quote": f"<disp-quote><p>{text}</p></disp-quote>",
        "preformat": f'<preformat xml:space="preserve">{text}</preformat>',
    }
    return shapes[block.kind]


def _list(article: Article, items: tuple[str, ...]) -> str:
    entries = "".join(
        f"<list-item><label>{number}.</label><p>{mixed(article, item)}</p></list-item>"
        for number, item in enumerate(items, start=1)
    )
    return f'<list list-type="order">{entries}</list>'


def _display(article: Article, text: str) -> str:
    return f'<disp-formula id="E1"><label>(1)</label>{formula(article, text)}</disp-formula>'


def _float(article: Article, block: SampleBlock) -> str:
    return _table(article, block.table) if block.table else _figure(article, block.figure)


def _figure(article: Article, figure: SampleFigure | None) -> str:
    assert figure is not None
    link = NAMESPACES[article.dialect.namespaces][3]
    shape = (
        f'<fig id="F{figure.number}" position="float"><label>Figure {figure.number}</label>'
        f"<caption><p>{mixed(article, figure.caption)}</p></caption>"
        f'<graphic {link}href="f{figure.number}.jpg"/></fig>'
    )
    inside = article.dialect.formula == TEX_ONLY and not article.dialect.floats_group
    return f"<p>{shape}</p>" if inside else shape


def _table(article: Article, table: SampleTable) -> str:
    head = [row for row in table.rows if any(cell.header for cell in row)]
    body = [row for row in table.rows if row not in head]
    notes = "".join(f'<fn id="TF{table.number}"><p>{mixed(article, note)}</p></fn>' for note in table.footnotes)
    foot = f"<table-wrap-foot>{notes}</table-wrap-foot>" if notes else ""
    return (
        f'<table-wrap id="T{table.number}" position="float"><label>Table {table.number}</label>'
        f"<caption><title>{mixed(article, table.title)}</title></caption>"
        f"<table><thead>{_rows(article, head)}</thead><tbody>{_rows(article, body)}</tbody></table>{foot}</table-wrap>"
    )


def _rows(article: Article, rows: list[tuple[TableCell, ...]]) -> str:
    return "".join(f"<tr>{''.join(_cell(article, cell) for cell in row)}</tr>" for row in rows)


def _cell(article: Article, cell: TableCell) -> str:
    name = "th" if cell.header else "td"
    rows = f' rowspan="{cell.rowspan}"' if cell.rowspan > 1 else ""
    columns = f' colspan="{cell.colspan}"' if cell.colspan > 1 else ""
    return f"<{name}{rows}{columns}>{mixed(article, cell.text)}</{name}>"


def _cite(article: Article, numbers: str) -> str:
    style = article.dialect.citation
    if style == AUTHOR_YEAR:
        return f"({'; '.join(_xref('bibr', f'B{number}', author_year(number)) for number in numbers.split(','))})"
    links = ",".join(_xref("bibr", f"B{number}", number) for number in numbers.split(","))
    return f"[{links}]" if style == BRACKETS else f"<sup>{links}</sup>"


def author_year(number: str) -> str:
    """Return how a citation names a reference, in articles that cite by name."""
    return f"{('Smith', 'Wang', 'Müller', 'García')[int(number) % 4]} et al., {1990 + int(number) % 30}"


def _xref(kind: str, target: str, text: str) -> str:
    return f'<xref ref-type="{kind}" rid="{target}">{escape(text)}</xref>'
