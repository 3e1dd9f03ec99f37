"""Inputs for the fuzzers: seeds of our own, and mutations that know XML as well as those that know only bytes.

`seeds` gives small records and articles; `mutate` changes one by a generator alone, so that a run can be repeated.
"""

import random
import re
from collections.abc import Sequence
from pathlib import Path

from corpus.synthetic.sample import compose
from corpus.synthetic.sample.pubmed import pubmed_xml
from tests.support.malformed import JATS, PUBMED, article, citation

REGRESSIONS = Path(__file__).resolve().parent / "regressions"
CONFORMANCE = Path(__file__).resolve().parent.parent / "conformance"
MOST_BYTES = 20_000

# One a line, bytes that are not printable as \\x41; spaces count.
_LINES = (Path(__file__).resolve().parent / "tokens.txt").read_text().splitlines()
TOKENS = [line.encode().decode("unicode_escape").encode("latin-1") for line in _LINES]

_TAG = re.compile(rb"<[^<>]*>")
_SMALL = 100_000


def seeds(parser: str) -> list[bytes]:
    """Return the seeds of one parser, the stored regressions first."""
    stored = [path.read_bytes() for path in sorted((REGRESSIONS / parser).glob("*"))]
    if parser == "pubmed":
        made = [pubmed_xml([compose.citation(random.Random(n), 500 + n)]) for n in range(40)]
        records = [raw[raw.index(b"<Pubmed", raw.index(b"<PubmedArticleSet>") + 1) : raw.rindex(b"</")] for raw in made]
        return [*stored, *records, citation(7), *(kind.raw for kind in PUBMED if len(kind.raw) < _SMALL)]
    files = [path.read_bytes() for path in sorted(CONFORMANCE.rglob("*.xml"))]
    own = [raw for raw in files if b"<article" in raw]
    return [*stored, *own, article(7), *(kind.raw for kind in JATS if len(kind.raw) < _SMALL)]


def mutate(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Return `data` after one to four changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        data = rng.choice(_MUTATIONS)(data, rng, others)
    return data[:MOST_BYTES]


def _span(data: bytes, rng: random.Random, most: int = 200) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.randint(0, most))


def _flip(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def _replace(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.randbytes(rng.randint(1, 4)) + data[place + rng.randint(0, 4) :]


def _insert(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(TOKENS) + data[place:]


def _overwrite(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng, 12)
    return data[:start] + rng.choice(TOKENS) + data[end:]


def _delete(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 20)) + data[end:]


def _splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    (start, end), place = _span(other, rng, 400), rng.randint(0, len(data))
    return data[:place] + other[start:end] + data[place + rng.choice((0, end - start)) :]


def _cut(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    return data[: rng.randint(0, len(data))]


def _swap_tags(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    tags = list(_TAG.finditer(data))
    if len(tags) < 2:
        return data
    first, second = sorted(rng.sample(tags, 2), key=lambda tag: tag.start())
    between = data[first.end() : second.start()]
    return data[: first.start()] + second[0] + between + first[0] + data[second.end() :]


def _drop_tag(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    tags = list(_TAG.finditer(data))
    tag = rng.choice(tags) if tags else None
    return data[: tag.start()] + data[tag.end() :] if tag else data


def _move_element(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Copy a whole element of this or another input to the place of a tag: the result is often well-formed."""
    source = rng.choice((data, rng.choice(others)))
    tag = rng.choice(list(_TAG.finditer(source)) or [None])
    name = re.match(rb"<([\w:.-]+)", tag[0]) if tag else None
    target = rng.choice(list(_TAG.finditer(data)) or [None])
    if tag is None or name is None or target is None:
        return data
    end = source.find(b"</" + name[1] + b">", tag.end())
    element = source[tag.start() : end + len(name[1]) + 3] if end >= 0 else tag[0]
    return data[: target.start()] + element + data[target.start() :]


_MUTATIONS = (
    _flip, _replace, _insert, _insert, _overwrite, _delete, _repeat, _splice, _cut, _swap_tags, _drop_tag,
    _move_element, _move_element,
)  # fmt: skip
