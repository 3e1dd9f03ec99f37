"""Sample writer: PubMed baseline and update files, PMC articles in both layouts, and the planted truth.

`write_sample` makes the folder that `corpuscle demo` and many tests run on; `python -m corpus.synthetic.sample.write
DIR` does the same from a shell. The same seed and scale give the same bytes on any machine: gzip members hold stored
blocks, so no version of zlib matters, times are zero, JSON is sorted. `planted.json` says for every record what a run
must do with it. Nothing in a default sample is damaged; `malformed` adds a few records that must be rejected.
"""

import argparse
import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from corpus import storage
from corpus.errors import UsageError
from corpus.storage.json_files import read_json
from corpus.synthetic.sample import damage
from corpus.synthetic.sample.jats import jats_xml, metadata_json
from corpus.synthetic.sample.plant import plant_citations
from corpus.synthetic.sample.plant_articles import plant_articles
from corpus.synthetic.sample.pubmed import pubmed_xml
from corpus.synthetic.sample.world import BASELINE, KEPT, MALFORMED, TAR, TREE, UPDATES, World

TREE_FOLDER = "pmc/pmc-oa-opendata"
TAR_NAME = "pmc/oa_comm_xml.PMC000xxxxxx.baseline.tar.gz"
PLANTED = "planted.json"
_TAR_FOLDER = "PMC000xxxxxx"
_NUM_CITATIONS, _NUM_ARTICLES, _NUM_BOOKS = 2400, 400, 12
_STORED_BLOCK = 65_535  # most bytes that a stored block of DEFLATE can hold


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A written sample: where its files lie and what they hold."""

    output: str
    pubmed: tuple[str, ...]  # paths of the PubMed files, baseline before updates
    pmc_tree: str
    pmc_tar: str
    planted: str
    num_citations: int  # records in PubMed files, books and revisions included, deletions not
    num_deletions: int
    num_articles: int  # article versions in the tree and the tar
    num_sub_articles: int  # replies inside them
    num_malformed: int


def build(*, seed: int = 0, scale: float = 1.0) -> World:
    """Return everything that a sample of this seed and scale says, before any file is written.

    Raises ValueError for a scale that is not above 0.
    """
    if not scale > 0:
        raise ValueError(f"scale {scale}: must be above 0; 1.0 makes about 2,400 citations and 400 articles")
    world = World(seed=seed, scale=scale)
    plant_citations(world)
    plant_articles(world)
    for _ in range(world.count(_NUM_BOOKS)):
        book = world.citation("book", book=True, language="eng", vernacular_title="", other=(), references=())
        world.add_case("book", world.put(book, BASELINE[0], KEPT))
    _fill(world)
    for name, citations in world.files.items():
        world.stream(f"order/{name}").shuffle(citations)
    return world


def write_sample(output: str, *, seed: int = 0, scale: float = 1.0, malformed: bool = False) -> Sample:
    """Write a sample below `output` and return what it holds.

    Raises ValueError for a scale that is not above 0, and UsageError when another sample lies there, whose files
    would mix with this one's.
    """
    identity = {"seed": seed, "scale": scale, "malformed": malformed}
    _check_free(output, identity)
    world = build(seed=seed, scale=scale)
    pubmed = list(_write_pubmed(output, world))
    for article in world.articles[TREE]:
        xml = jats_xml(article)
        name = f"PMC{article.pmcid}.{article.version}"
        _write(output, f"{TREE_FOLDER}/{name}/{name}.xml", xml)
        _write(output, f"{TREE_FOLDER}/metadata/{name}.json", metadata_json(article, xml))
    _write(output, TAR_NAME, gzip_stored(_tar(world)))
    rejects: tuple[damage.Damaged, ...] = ()
    if malformed:
        rejects = (*damage.PUBMED, *damage.PMC)
        pubmed.append(_write_gzip(output, f"pubmed/updatefiles/{MALFORMED}", damage.pubmed_file()))
        for one in damage.PMC:
            _write(output, f"{TREE_FOLDER}/{one.name}/{one.name}.xml", one.raw)
    truth = {
        **identity,
        "cases": [asdict(case) for case in world.cases],
        "rejects": [{"name": one.name, "reasons": one.reasons} for one in rejects],
    }
    planted = _write(output, PLANTED, json.dumps(truth, indent=1, sort_keys=True, ensure_ascii=False).encode())
    return Sample(
        output=output,
        pubmed=tuple(pubmed),
        pmc_tree=storage.join(output, TREE_FOLDER),
        pmc_tar=storage.join(output, TAR_NAME),
        planted=planted,
        num_citations=sum(map(len, world.files.values())) + (damage.NUM_SOUND if malformed else 0),
        num_deletions=sum(map(len, world.deletions.values())),
        num_articles=sum(map(len, world.articles.values())),
        num_sub_articles=sum(bool(article.reply) for place in world.articles.values() for article in place),
        num_malformed=len(rejects),
    )


def gzip_stored(content: bytes) -> bytes:
    """Return content as a gzip member of stored blocks: the same bytes whatever compressor Python has."""
    blocks = []
    for start in range(0, max(1, len(content)), _STORED_BLOCK):
        block = content[start : start + _STORED_BLOCK]
        last = start + _STORED_BLOCK >= len(content)
        blocks.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, time 0, unknown system
    return b"".join([head, *blocks, struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)])


def _fill(world: World) -> None:
    """Add ordinary citations and articles until the sample is as large as its scale says."""
    num_articles = world.count(_NUM_ARTICLES)
    number = 0
    while sum(map(len, world.articles.values())) < num_articles:
        number += 1
        old = number % 5 == 0
        article = world.article("ordinary", old=old)
        fates = [world.put_article(article, TAR if old else TREE, KEPT)]
        world.add_case("ordinary_article", *fates)
    num_citations = world.count(_NUM_CITATIONS)
    while sum(map(len, world.files.values())) < num_citations:
        number += 1
        file = UPDATES[number % 2] if number % 9 == 0 else world.baseline()
        doi = f"10.5555/Ordinary.{number}" if number % 2 else None
        world.add_case("ordinary_citation", world.put(world.citation("ordinary", doi=doi), file, KEPT))


def _write_pubmed(output: str, world: World) -> Iterator[str]:
    for name, citations in world.files.items():
        folder = "baseline" if name in BASELINE else "updatefiles"
        content = pubmed_xml(citations, world.deletions.get(name, ()))
        yield _write_gzip(output, f"pubmed/{folder}/{name}", content)


def _write_gzip(output: str, name: str, content: bytes) -> str:
    """Write a gzip file and, beside it, its checksum in NLM's form."""
    packed = gzip_stored(content)
    line = f"MD5({storage.base_name(name)})= {hashlib.md5(packed, usedforsecurity=False).hexdigest()}\n"
    _write(output, f"{name}.md5", line.encode())
    return _write(output, name, packed)


def _check_free(output: str, identity: dict[str, int | float | bool]) -> None:
    planted = Path(output, PLANTED)
    if planted.exists():
        there = read_json(str(planted), "choose another directory, or remove it", error=UsageError)
        there = there if isinstance(there, dict) else {}
        if any(there.get(name) != value for name, value in identity.items()):
            facts = ", ".join(f"{name} {there.get(name)}" for name in identity)
            raise UsageError(f"{output}: holds another sample ({facts}); choose another directory, or remove it")


def _tar(world: World) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for article in world.articles[TAR]:
            xml = jats_xml(article)
            member = tarfile.TarInfo(f"{_TAR_FOLDER}/PMC{article.pmcid}.xml")
            member.size = len(xml)
            tar.addfile(member, io.BytesIO(xml))
    return buffer.getvalue()


def _write(output: str, name: str, content: bytes) -> str:
    """Write one file without waiting for the disk: `planted.json` comes last, and a sample is cheap to make again."""
    path = Path(output, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def main() -> None:
    """Write a sample from a shell and print what it holds."""
    parser = argparse.ArgumentParser(description="Write a generated sample of PubMed and PMC files.")
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--malformed", action="store_true")
    arguments = parser.parse_args()
    print(write_sample(**vars(arguments)))


if __name__ == "__main__":
    main()
