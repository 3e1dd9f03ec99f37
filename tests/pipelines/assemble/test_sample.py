"""The generated sample through `extract` and `assemble`: every record gets what was planted for it."""

from pathlib import Path

import pytest

from corpus.assemble.config import AssembleConfig
from corpus.assemble.cut import CUT_REASONS
from corpus.assemble.rules import RETRACTED_TAG
from corpus.errors import DataError
from corpus.extract.config import ExtractConfig
from corpus.reasons import DropReason
from corpus.records import pmc_doc_id
from corpus.stage.manifest import SPLITS, Manifest
from corpus.storage.parquet import read_table
from corpus.synthetic.sample.jats import LICENCES, NONCOMMERCIAL
from corpus.synthetic.sample.write import Sample, build, write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from pipelines.workflow.planted import compare_with_planted

pytestmark = pytest.mark.slow


def inputs(sample: Sample) -> dict[str, tuple[str, ...]]:
    return {"pubmed": sample.pubmed, "pmc": (sample.pmc_tree, sample.pmc_tar)}


@pytest.mark.parametrize("seed", [0, 5])
def test_every_record_gets_what_was_planted_for_it(tmp_path: Path, seed: int) -> None:
    sample = write_sample(str(tmp_path / "raw"), seed=seed, scale=0.25)
    records, corpus = str(tmp_path / "records"), str(tmp_path / "corpus")
    read = extract(ExtractConfig(**inputs(sample)), output=records)
    assert read is not None
    num_articles = sample.num_articles + sample.num_sub_articles
    assert read.books.kept == sample.num_citations + sample.num_deletions + num_articles
    manifest = assemble(AssembleConfig(), records=records, output=corpus)
    assert manifest is not None
    comparison = compare_with_planted(corpus, manifest, sample.planted)
    assert comparison.differences == ()
    assert comparison.num_records == read.books.kept
    # Kept, and every reason to drop a record of which the default policy makes use.
    unused = {
        DropReason.LICENSE,
        DropReason.SUB_ARTICLE,
        DropReason.CONTAMINATED,
        DropReason.SAME_ID,
        DropReason.IN_OTHER_CORPUS,
    }
    unused |= {*CUT_REASONS}
    assert comparison.outcomes.keys() == {"kept", *DropReason} - unused
    assert_outdated_records_name_the_living(corpus, manifest)


def test_another_policy_changes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    sample = write_sample(str(tmp_path / "raw"), scale=0.1)
    records, corpus = str(tmp_path / "records"), str(tmp_path / "corpus")
    assert extract(ExtractConfig(**inputs(sample)), output=records) is not None
    policy = AssembleConfig(license="commercial", retracted="tag", ocr="keep", languages=())
    manifest = assemble(policy, records=records, output=corpus)
    assert manifest is not None
    decided = [row for path in manifest.paths(corpus, "decisions") for row in read_table(path).to_pylist()]
    reasons = {row["doc_id"]: row["reason"] for row in decided if row["kind"] == "article"}
    forbidding = {
        pmc_doc_id(article.pmcid, article.version)
        for article in (one for place in build(scale=0.1).articles.values() for one in place)
        if article.dialect.licence in NONCOMMERCIAL or LICENCES[article.dialect.licence][2] == "TDM"
    }
    earlier = {DropReason.OLDER_VERSION, DropReason.NOTICE, DropReason.NO_TEXT}
    assert {name for name, reason in reasons.items() if reason == "license"} == {
        name for name in forbidding if reasons[name] not in earlier
    }
    assert not {"retracted", "ocr", "language"} & {row["reason"] for row in decided}
    assert sum(row["reason"] == "license" and row["source"] == "pubmed" for row in decided) > 5  # copyright lines
    texts = [row for role in SPLITS for path in manifest.paths(corpus, role)
             for row in read_table(path).to_pylist()]  # fmt: skip
    tagged = [row for row in texts if row["text"].startswith(RETRACTED_TAG)]
    assert tagged
    assert all(row["retracted"] == (row in tagged) for row in texts)


def assert_outdated_records_name_the_living(corpus: str, manifest: Manifest) -> None:
    """Every superseded record and older version names the record of its own PMID or PMC id that was not outdated."""
    rows = [row for path in manifest.paths(corpus, "decisions") for row in read_table(path).to_pylist()]
    outdated = [row for row in rows if row["reason"] in ("superseded", "older_version")]
    living = {row["doc_id"] for row in rows if row["reason"] not in ("superseded", "older_version", "deleted")}
    assert len(outdated) > 10
    assert all(row["survivor"] in living for row in outdated)
    assert all(row["survivor"].partition(".")[0] == row["doc_id"].partition(".")[0] for row in outdated)


def test_damaged_records_pass_a_loose_threshold_only(tmp_path: Path) -> None:
    sample = write_sample(str(tmp_path / "raw"), scale=0.02, malformed=True)
    with pytest.raises(DataError):
        extract(ExtractConfig(**inputs(sample)), output=str(tmp_path / "strict"))
    manifest = extract(ExtractConfig(**inputs(sample), max_reject_rate=0.1), output=str(tmp_path / "loose"))
    assert manifest is not None
    assert sum(manifest.books.dropped.values()) == sample.num_malformed
