"""The generated sample: the same bytes every time, sound files, and a truth that holds.

What the readers make of it is tested in `test_corpus_sample_readers`, what becomes of its records in
`test_pipelines_sample`.
"""

import gzip
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tarfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from lxml import etree

from corpus.errors import UsageError
from corpus.ncbi.jats.reader import read_article
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Record, Reject, doc_key
from corpus.synthetic.sample import damage
from corpus.synthetic.sample.plant import FAR, NEAR
from corpus.synthetic.sample.text import MARK
from corpus.synthetic.sample.world import TREE, World, document, full_text
from corpus.synthetic.sample.write import Sample, build, gzip_stored, write_sample

SCALE = 0.2


@pytest.fixture(scope="module")
def world() -> World:
    return build(seed=0, scale=SCALE)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(str(tmp_path_factory.mktemp("sample")), seed=0, scale=SCALE)


@pytest.fixture(scope="module")
def truth(sample: Sample) -> dict:
    return json.loads(Path(sample.planted).read_text(encoding="utf-8"))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    for name, hash_seed in (("a", "1"), ("b", "2")):
        command = [sys.executable, "-m", "corpus.synthetic.sample.write", str(tmp_path / name), "--scale", "0.02"]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True)
    write_sample(str(tmp_path / "c"), scale=0.02, seed=1)
    first = digests(tmp_path / "a")
    assert first == digests(tmp_path / "b")
    assert first["planted.json"] != digests(tmp_path / "c")["planted.json"]


def test_gzip_of_stored_blocks_is_gzip() -> None:
    for size in (0, 1, 65_535, 65_536, 200_000):
        content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert gzip.decompress(gzip_stored(content)) == content


def test_files_are_sound(sample: Sample) -> None:
    """Every XML parses with plain lxml, every checksum is right, and the counts are what the sample says."""
    roots = []
    for path in map(Path, sample.pubmed):
        assert (
            Path(f"{path}.md5").read_text(encoding="utf-8")
            == f"MD5({path.name})= {hashlib.md5(path.read_bytes()).hexdigest()}\n"
        )
        roots.append(etree.fromstring(gzip.decompress(path.read_bytes())))
    assert sum(len(root.findall("PubmedArticle")) + len(root.findall("PubmedBookArticle")) for root in roots) == (
        sample.num_citations
    )
    assert sum(len(root.findall("DeleteCitation/PMID")) for root in roots) == sample.num_deletions
    articles = list(Path(sample.pmc_tree).glob("PMC*/*.xml"))
    for path in articles:
        etree.fromstring(path.read_bytes())
        facts = json.loads((Path(sample.pmc_tree) / "metadata" / f"{path.stem}.json").read_text())
        assert facts["xml_url"].endswith(f"{path.name}?md5={hashlib.md5(path.read_bytes()).hexdigest()}")
        assert f"{facts['pmcid']}.{facts['version']}" == path.stem
    with tarfile.open(sample.pmc_tar) as tar:
        names = tar.getnames()
        for name in names:
            member = tar.extractfile(name)
            assert member is not None
            etree.fromstring(member.read())
    assert all(re.fullmatch(r"PMC000xxxxxx/PMC\d{6}\.xml", name) for name in names)
    assert len(articles) + len(names) == sample.num_articles


def test_every_record_has_one_fate(sample: Sample, world: World, truth: dict) -> None:
    fates = [fate for case in truth["cases"] for fate in case["fates"]]
    keys = Counter((fate["doc_id"], fate["kind"], fate["file"], fate["version"]) for fate in fates)
    assert max(keys.values()) == 1
    found = Counter()
    for name, citations in world.files.items():
        for one in citations:
            found[f"pmid:{one.pmid}", "book" if one.book else "citation", name, one.version] += 1
        for pmid in world.deletions.get(name, ()):
            found[f"pmid:{pmid}", "deletion", name, 1] += 1
    for one in itertools.chain(*world.articles.values()):
        found[f"pmc:PMC{one.pmcid}.{one.version}", "article", "", one.version] += 1
        if one.reply:
            found[f"pmc:PMC{one.pmcid}.{one.version}#1", "sub_article", "", one.version] += 1
    assert found == keys
    num_articles = sample.num_articles + sample.num_sub_articles
    assert len(fates) == sample.num_citations + sample.num_deletions + num_articles
    kept = {fate["doc_id"] for fate in fates if fate["outcomes"] == ["kept"]}
    assert all(fate["survivor"] in kept for fate in fates if fate["survivor"])
    assert all(doc_key(fate["doc_id"]) for fate in fates)


def test_planted_similarities_hold_in_the_files(sample: Sample, truth: dict) -> None:
    """The Jaccard similarities are those of the text in the XML, computed here in another way."""
    texts: dict[tuple[str, str], str] = {}
    for path in map(Path, sample.pubmed):
        for one in etree.fromstring(gzip.decompress(path.read_bytes())).iter("MedlineCitation"):
            parts = [one.find(".//ArticleTitle"), *one.findall("Article/Abstract/AbstractText")]
            text = "\n".join("".join(part.itertext()) for part in parts)
            texts[f"pmid:{one.findtext('PMID')}", path.name] = text
    num_pairs = 0
    for case in truth["cases"]:
        ends = [fate for fate in case["fates"] if fate["kind"] == "citation"]
        if case["jaccard"] is not None and ends:
            grams = [five_grams(texts[fate["doc_id"], fate["file"]]) for fate in (ends[0], ends[-1])]
            similarity = len(grams[0] & grams[1]) / len(grams[0] | grams[1])
            assert similarity == pytest.approx(case["jaccard"]), case["name"]
            low, high = FAR if "far" in case["name"] else (NEAR[0], 1.0)
            assert low <= similarity <= high, case["name"]
            num_pairs += 1
    assert num_pairs >= 30


def five_grams(text: str) -> set[str]:
    words = [word for word in re.split(r"\W+", text.lower()) if word]
    return {" ".join(words[start : start + 5]) for start in range(len(words) - 4)}


def test_documents_that_were_not_planted_are_far_apart(world: World) -> None:
    ordinary = {fate.doc_id for case in world.cases if case.name.startswith("ordinary") for fate in case.fates}
    texts = [document(one) for name in world.files for one in world.files[name] if f"pmid:{one.pmid}" in ordinary]
    texts += [full_text(one) for one in world.articles[TREE] if f"pmc:PMC{one.pmcid}.1" in ordinary]
    grams = [five_grams(text) for text in texts]
    places = defaultdict(list)
    for number, one in enumerate(grams):
        for gram in one:
            places[gram].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in places.values():
        shared.update(itertools.combinations(numbers, 2))
    closest = max(count / len(grams[one] | grams[other]) for (one, other), count in shared.items())
    assert closest < 0.5
    assert len(texts) > 200


def test_text_has_a_natural_frequency_curve(world: World) -> None:
    """A few words are half of the text, and a long tail is seen once."""
    words = Counter(re.findall(r"\w+", " ".join(document(one) for one in itertools.chain(*world.files.values()))))
    counts = sorted(words.values(), reverse=True)
    assert len(words) > 1500
    assert sum(counts[:100]) > 0.4 * sum(counts)
    assert counts.count(1) > 0.2 * len(counts)


def test_another_sample_is_not_written_over(tmp_path: Path) -> None:
    write_sample(str(tmp_path), scale=0.02)
    before = digests(tmp_path)
    write_sample(str(tmp_path), scale=0.02)
    assert digests(tmp_path) == before
    with pytest.raises(UsageError, match="holds another sample"):
        write_sample(str(tmp_path), scale=0.03)


def test_scale_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="above 0"):
        write_sample(str(tmp_path), scale=0)


def test_no_mark_of_the_notation_reaches_a_file(sample: Sample) -> None:
    for path in sample.pubmed:
        assert not MARK.search(gzip.decompress(Path(path).read_bytes()).decode())
    for path in Path(sample.pmc_tree).glob("PMC*/*.xml"):
        text = re.sub(r"<tex-math.*?</tex-math>", "", path.read_text("utf-8"))
        assert not MARK.search(text), path


def test_damaged_records_are_rejects_with_the_planned_reasons(tmp_path: Path) -> None:
    sample = write_sample(str(tmp_path), scale=0.02, malformed=True)
    items = list(read_pubmed(sample.pubmed[-1]))
    rejects = [item for item in items if isinstance(item, Reject)]
    assert sum(isinstance(item, Record) for item in items) == damage.NUM_SOUND
    assert len(rejects) == len(damage.PUBMED)
    for planned, reject in zip(damage.PUBMED, rejects, strict=True):
        assert reject.reason in planned.reasons
        assert reject.doc_id == (f"pmid:{planned.name}" if planned.name else "")
    for planned in damage.PMC:
        path = Path(sample.pmc_tree) / planned.name / f"{planned.name}.xml"
        reject = read_article(path.read_bytes(), file=path.name)
        assert isinstance(reject, Reject)
        assert reject.reason in planned.reasons
