"""Small hand-written JATS articles for the tests of the reader."""

from corpus.ncbi.jats.reader import read_article
from corpus.records import Block, Record, Reject

ID = '<article-id pub-id-type="pmc">123</article-id>'
TITLE = "<title-group><article-title>A title</article-title></title-group>"


def jats(
    *, body: str = "", meta: str = "", ids: str = ID, title: str = TITLE, after: str = "", attributes: str = ""
) -> bytes:
    """Return an article; `after` stands behind the body."""
    return (
        '<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML" '
        f"{attributes}>"
        f"<front><article-meta>{ids}{title}{meta}</article-meta></front><body>{body}</body>{after}</article>"
    ).encode()


def read(raw: bytes, file: str = "PMC123.1.xml") -> Record:
    """Return the record of an article that must have one."""
    found = read_article(raw, file=file)
    assert isinstance(found, Record), found
    return found


def read_reject(raw: bytes, file: str = "x.xml") -> Reject:
    """Return the reject of an article that must have none."""
    found = read_article(raw, file=file)
    assert isinstance(found, Reject), found
    return found


def blocks(body: str) -> list[tuple[str, int, str]]:
    """Return kind, depth and text of the blocks of a body."""
    found: tuple[Block, ...] = read(jats(body=body)).body
    return [(str(block.kind), block.depth, block.text) for block in found]


def text(content: str) -> str:
    """Return one paragraph's text."""
    found = blocks(f"<p>{content}</p>")
    assert len(found) == 1, found
    return found[0][2]
