"""A small corpus with metadata, its tokens, and what `publish` makes of it: what the tests of publishing read."""

from dataclasses import dataclass
from pathlib import Path

from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.publish.config import PublishConfig
from corpus.publish.stage import publish
from corpus.stage.manifest import Manifest
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract

SETTINGS = PublishConfig(date="2026-11-30", creator="Nobody", title="A small corpus")


@dataclass(frozen=True, kw_only=True)
class Published:
    """Directories of the road, and the manifests of corpus and folder."""

    records: Path
    corpus: Path
    folder: Path
    assembled: Manifest
    manifest: Manifest


def publish_sample(base: Path, *, scale: float = 0.1, shard_mb: int = 1) -> Published:
    """Take a made sample to a published folder."""
    sample = write_sample(str(base / "raw"), seed=3, scale=scale)
    records, corpus, folder = base / "work" / "records", base / "work" / "corpus", base / "folder"
    config = ExtractConfig(pubmed=tuple(sample.pubmed), pmc=(sample.pmc_tree, sample.pmc_tar), metadata=True)
    extract(config, output=str(records))
    rules = AssembleConfig(validation=0.2, test=0.2, shard_mb=shard_mb)
    assembled = assemble(rules, records=str(records), output=str(corpus))
    assert assembled is not None
    manifest = publish(SETTINGS, source=str(corpus), output=str(folder))
    return Published(records=records, corpus=corpus, folder=folder, assembled=assembled, manifest=manifest)
