"""What the readers make of everything at hand, as hashes: `python -m tests.support.reader_digest [DATA]`.

Run in processes of their own, compiled and in pure Python, to be compared. Prints a line of JSON: where the readers
were loaded from, and a hash of what became of each group of inputs.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from corpus.metadata import SideTables
from corpus.ncbi import COMPILED
from corpus.ncbi.jats import lines
from corpus.ncbi.jats.metadata import add_article_metadata
from corpus.ncbi.jats.reader import read_document
from corpus.ncbi.pubmed.reader import read_pubmed_xml
from corpus.records import Record
from tests.support.malformed import JATS, article
from tests.support.real_articles import articles

CASES = Path(__file__).resolve().parents[1] / "conformance"
NUM_ARTICLES = 300
# Deep enough to end a process that follows them without counting.
DEPTHS = (50, 199, 201, 260, 20_000)
_PLACE = b"</sec></body><back>"
NESTED = ("sec", "p", "list", "alternatives", "fn-group", "app-group", "fig", "table-wrap", "unheard-of", "boxed-text")


def nested_articles() -> Iterator[tuple[str, bytes]]:
    """Yield articles whose body or back matter is one element within another, over and over."""
    for name in (*NESTED, "mml:mrow"):
        for depth in DEPTHS:
            content = f"<{name}>".encode() * depth + b"x" + f"</{name}>".encode() * depth
            if ":" in name:
                content = b'<p><mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML">' + content + b"</mml:math></p>"
            yield "PMC1.1.xml", article(1).replace(_PLACE, content + _PLACE + content)


def _of_articles(sample: Iterable[tuple[str, bytes]], hashed: Any) -> None:
    encode = msgspec.msgpack.Encoder(enc_hook=str).encode
    for name, raw in sample:
        side = SideTables()
        for items, own in read_document(raw, file=name, offset=0, position=0, metadata=None, name=""):
            hashed.update(encode(items))
            if isinstance(items[0], Record):
                add_article_metadata(own, items[0], side)
        hashed.update(encode(side.rows))


def _of_sets(paths: Iterable[Path], hashed: Any) -> None:
    encode = msgspec.msgpack.Encoder(enc_hook=str).encode
    for path in paths:
        side = SideTables()
        for item, raw in read_pubmed_xml(str(path), side):
            hashed.update(encode(item) + raw)
        hashed.update(encode(side.rows))


def main() -> None:
    """Read and print."""
    digests = {}
    for name, sample in (
        ("cases", ((path.name, path.read_bytes()) for path in sorted((CASES / "jats").glob("*.xml")))),
        ("malformed", ((kind.file, kind.raw) for kind in JATS)),
        ("nested", nested_articles()),
        ("articles", islice(articles(Path(sys.argv[1])), NUM_ARTICLES) if sys.argv[1:] else ()),
    ):
        hashed = hashlib.sha256()
        _of_articles(sample, hashed)
        digests[name] = hashed.hexdigest()
    sets = sorted((CASES / "pubmed").glob("*.xml"))
    sets += sorted(Path(sys.argv[1], "pubmed").rglob("pubmed[!2]*.xml.gz")) if sys.argv[1:] else []
    hashed = hashlib.sha256()
    _of_sets(sets, hashed)
    digests["sets"] = hashed.hexdigest()
    print(json.dumps({"file": lines.__file__, "found": COMPILED.found, "digests": digests}))


if __name__ == "__main__":
    main()
