"""Shards of an extraction: each machine its share, and together the bytes that one machine makes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import CorruptError, DataError, UsageError
from corpus.extract.config import ExtractConfig
from corpus.extract.join import join
from corpus.extract.shares import own_share
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.stage.manifest import has_manifest
from corpus.synthetic.sample.write import Sample, write_sample
from pipelines.assemble.pipeline import AssembleConfig, assemble
from pipelines.cli.app import main
from pipelines.extract import extract
from tests.pipelines.test_extract import BAD, write

SIZES = st.dictionaries(st.text("abcdef", min_size=1), st.integers(0, 10**6), min_size=1, max_size=40)


@given(SIZES, st.data())
def test_shares_are_a_partition_and_balanced(sizes: dict[str, int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(sizes)))
    shares = [own_share(sizes.items(), (number, count)) for number in range(1, count + 1)]
    assert sorted(name for share in shares for name in share) == sorted(sizes)
    assert shares == [own_share(reversed(sizes.items()), (number, count)) for number in range(1, count + 1)]
    loads = [sum(sizes[name] + 1 for name in share) for share in shares]
    assert max(loads) - min(loads) <= max(sizes.values()) + 1


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(str(tmp_path_factory.mktemp("raw")), seed=3, scale=0.05)


def config_of(sample: Sample, shard: str | None = None, **changes: object) -> ExtractConfig:
    settings = {"articles_per_part": 5, "shard": shard, **changes}
    return ExtractConfig(pubmed=sample.pubmed, pmc=(sample.pmc_tar, sample.pmc_tree), **settings)


@pytest.fixture(scope="module")
def whole(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("whole")
    extract(config_of(sample), output=str(folder))
    return hashes(folder)


@pytest.fixture(scope="module")
def shards(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("shards")
    for number in (2, 3, 1):
        extract(config_of(sample, f"{number}/3"), output=str(folder / str(number)))
    return [str(folder / str(number)) for number in (1, 2, 3)]


def hashes(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files(folder)}


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in (LOCK, RUN_FACTS, "events.jsonl"):
            yield path.relative_to(folder).as_posix(), path


def test_shards_joined_in_any_order_are_what_one_machine_makes(
    shards: list[str], whole: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [hashes(Path(folder)) for folder in shards]
    assert all(sum(name.startswith("records/") for name in one) >= 1 for one in before)
    assert main(["join", *reversed(shards), "--output", str(tmp_path / "joined")]) == 0
    assert hashes(tmp_path / "joined") == whole
    assert main(["join", *shards, "--output", str(tmp_path / "joined")]) == 0
    assert "up to date" in capsys.readouterr().err
    assert [hashes(Path(folder)) for folder in shards] == before


def test_a_join_that_was_stopped_goes_on(
    shards: list[str], whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("corpus.extract.join.conclude", stop)
    with pytest.raises(KeyboardInterrupt):
        join(shards, output=str(tmp_path))
    assert not has_manifest(str(tmp_path))
    monkeypatch.undo()
    join(shards, output=str(tmp_path))
    assert hashes(tmp_path) == whole


def test_where_files_cannot_be_linked_they_are_copied(
    shards: list[str], whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    join(shards, output=str(tmp_path))
    assert hashes(tmp_path) == whole


def test_what_is_no_whole_is_refused_by_name(sample: Sample, shards: list[str], tmp_path: Path) -> None:
    one, two, three = shards
    with pytest.raises(UsageError, match=r"missing: 2/3; run"):
        join([one, three], output=str(tmp_path / "out"))
    extract(config_of(sample, "2/3"), output=str(tmp_path / "again"))
    with pytest.raises(UsageError, match=r"(?s)shard 2/3: given twice: .*missing: 1/3, 3/3"):
        join([two, str(tmp_path / "again")], output=str(tmp_path / "out"))
    extract(config_of(sample, "3/3", articles_per_part=6), output=str(tmp_path / "other"))
    with pytest.raises(UsageError, match=r"other: articles_per_part is 6, 5 in "):
        join([one, two, str(tmp_path / "other")], output=str(tmp_path / "out"))
    fewer = config_of(sample, "3/3").model_copy(update={"pubmed": sample.pubmed[:-1]})
    extract(fewer, output=str(tmp_path / "fewer"))
    with pytest.raises(UsageError, match=r"fewer: a share of other inputs than"):
        join([one, two, str(tmp_path / "fewer")], output=str(tmp_path / "out"))
    with pytest.raises(UsageError, match=r"holds the output of `extract-shard`, expected `extract`"):
        assemble(AssembleConfig(), records=one, output=str(tmp_path / "corpus"))
    assert not (tmp_path / "out").exists()


def test_a_part_that_was_changed_since_is_named(sample: Sample, shards: list[str], tmp_path: Path) -> None:
    extract(config_of(sample, "1/3"), output=str(tmp_path / "one"))
    part = next(path for name, path in sorted(files(tmp_path / "one")) if name.startswith("records/"))
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptError, match=rf"{part.name}: not what its manifest says; extract that shard again"):
        join([str(tmp_path / "one"), *shards[1:]], output=str(tmp_path / "out"))
    assert not has_manifest(str(tmp_path / "out"))


def test_rejects_are_judged_over_the_whole(tmp_path: Path) -> None:
    write(tmp_path / "a.xml", list(range(100, 130)))
    write(tmp_path / "b.xml", [7], bad=BAD * 2)
    folders = [str(tmp_path / "1"), str(tmp_path / "2")]
    for number, folder in enumerate(folders, start=1):
        paths = (str(tmp_path / "a.xml"), str(tmp_path / "b.xml"))
        extract(ExtractConfig(pubmed=paths, shard=f"{number}/2", max_reject_rate=0), output=folder)
    with pytest.raises(DataError, match=r"2 of 33 records were rejected.*--max-reject-rate"):
        join(folders, output=str(tmp_path / "out"))
    manifest = join(folders, output=str(tmp_path / "out"), max_reject_rate=0.1)
    assert (manifest.books.read, manifest.books.kept) == (33, 31)


def test_more_shards_than_inputs_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.xml", [1])
    with pytest.raises(UsageError, match=r"shard 1/2: there are 1 input tasks; use at most so many shards"):
        extract(ExtractConfig(pubmed=(str(tmp_path / "a.xml"),), shard="1/2"), output=str(tmp_path / "out"))
    with pytest.raises(ValueError, match=r"there is no part 3 of 2"):
        ExtractConfig(pubmed=("a.xml",), shard="3/2")
