"""Golden digests: of what each stage makes of a small fixed sample, beside the REVISION of the stage's code.

`python -m tests.support.golden_stages` writes them; it refuses while output differs under an unchanged REVISION.

A digest is of names and bytes of the data files, those of `_work` that an update reuses included; no time, place or
count of cores is in them, and numbers with a fraction are quotients of integers alone. What depends on the processor
stays out: how isal compresses articles, hence where they begin in a shard; and all of `train` and `export`, whose
weights are sums of floats in an order that processors and thread counts change (tests/golden/loss_curve.json holds
their curve within a tolerance).
"""

import gzip
import hashlib
import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.fetch.config import FetchPmcConfig, FetchPubmedConfig
from corpus.fetch.pmc.stage import fetch_pmc
from corpus.fetch.pubmed import fetch_pubmed
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.stage.manifest import MANIFEST
from corpus.stage.workspace import RECEIPTS
from corpus.storage import parquet, walk_files
from corpus.synthetic.sample.write import Sample, write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from pipelines.pack import pack
from tests.support.fetch_servers import ncbi_server, numbered, s3_server
from tokenizer.config import PackConfig, TokenizerConfig
from tokenizer.learn import learn

COMMAND: Final = "python -m tests.support.golden_stages"
GOLDEN: Final = Path(__file__).resolve().parents[1] / "golden" / "stages.json"
# Stage → the module that holds its REVISION, in the order of the road; without a digest: those of
# train.launch.stage and train.export.stage.
HOMES: Final = {
    "fetch-pubmed": "corpus.fetch.pubmed",
    "fetch-pmc": "corpus.fetch.pmc.stage",
    "extract": "corpus.extract.config",
    "assemble": "corpus.assemble.config",
    "tokenizer": "tokenizer.learn",
    "pack": "tokenizer.pack",
}
NO_DATA: Final = (LOCK, RUN_FACTS, MANIFEST, "fetch.jsonl", "events.jsonl")
OF_ISAL: Final = ("offset", "length")  # columns of a store's index


@dataclass(frozen=True, kw_only=True, slots=True)
class Golden:
    """One stage's output: digests of what it read and of what it made, and the REVISION that made it."""

    revision: int
    input: str  # one digest for each directory that the stage reads
    output: str


def revision_of(stage: str) -> int:
    """Return the REVISION of a stage's code."""
    revision: int = importlib.import_module(HOMES[stage]).REVISION
    return revision


def complaint(stage: str, golden: Golden | None, made: Golden) -> str:
    """Return what a developer has to do about a stage, "" when its output is the golden one."""
    home, write = f"{HOMES[stage].replace('.', '/')}.py", f"write the new digest: {COMMAND}"
    if golden is None:
        return f"`{stage}` has no golden digest: {write}"
    if made.revision != golden.revision:
        return f"{home}: REVISION is {made.revision}, the golden digest is of {golden.revision}: {write}"
    if made.input != golden.input:
        return f"`{stage}` reads something else than its golden digest is of, made by a stage before it: {write}"
    if made.output != golden.output:
        return f"the output of `{stage}` changed: raise {home}: REVISION (now {made.revision}) and {write}"
    return ""


def must_be_raised(golden: Golden | None, made: Golden) -> bool:
    """Say whether the same revision made something else of the same input."""
    same = golden is not None and (golden.revision, golden.input) == (made.revision, made.input)
    return same and golden is not None and golden.output != made.output


def read_golden() -> dict[str, Golden]:
    """Return the golden digests by stage."""
    return {stage: Golden(**fields) for stage, fields in json.loads(GOLDEN.read_text()).items()}


def write_golden(stages: Mapping[str, Golden]) -> None:
    """Store golden digests, in the order given."""
    GOLDEN.write_text(json.dumps({stage: asdict(one) for stage, one in stages.items()}, indent=1) + "\n")


def made_stages(folder: Path) -> dict[str, Golden]:
    """Run the road on the sample below a folder and return what each stage made."""
    sample = write_sample(str(folder / "raw"), seed=3, scale=0.06, malformed=True)
    found = {"raw": digest_of(folder / "raw")}
    made = {}
    for stage, sources, run in _road(sample, folder):
        run(str(folder / stage))
        found[stage] = digest_of(folder / stage)
        read = " ".join(found[source] for source in sources)
        made[stage] = Golden(revision=revision_of(stage), input=read, output=found[stage])
    return made


def _road(sample: Sample, folder: Path) -> Iterator[tuple[str, tuple[str, ...], Callable[[str], object]]]:
    """Yield (stage, the stages it reads, what runs it into a directory)."""
    with ncbi_server(numbered(sample.pubmed)) as base:
        mirror = FetchPubmedConfig(source=base)
        yield "fetch-pubmed", ("raw",), lambda output: fetch_pubmed(mirror, output=output)
    with s3_server() as bucket:
        bucket.put_tree(Path(sample.pmc_tree))
        store = FetchPmcConfig(source=bucket.base, articles_per_shard=16, max_missing_rate=1)
        yield "fetch-pmc", ("raw",), lambda output: fetch_pmc(store, output=output)
    records, corpus, learned = (str(folder / stage) for stage in ("extract", "assemble", "tokenizer"))
    files = ExtractConfig(
        pubmed=sample.pubmed, pmc=(sample.pmc_tree, sample.pmc_tar), articles_per_part=7, max_reject_rate=1, pile=True
    )
    yield "extract", ("raw",), lambda output: extract(files, output=output)
    rules = AssembleConfig(shard_mb=1, validation=0.05, test=0.05)
    yield "assemble", ("extract",), lambda output: assemble(rules, records=records, output=output, update=True)
    words = TokenizerConfig(vocab_size=600, source="all")
    yield "tokenizer", ("assemble",), lambda output: learn(words, corpus=corpus, output=output)
    rows = PackConfig(seq_length=64)
    yield (
        "pack",
        ("assemble", "tokenizer"),
        lambda output: pack(rows, corpus=corpus, tokenizer=learned, output=output),
    )


def digest_of(folder: Path) -> str:
    """Return a digest of the names and bytes of all data files below a folder."""
    names = [name for name in walk_files(str(folder)) if Path(name).parts[0] not in (*NO_DATA, RECEIPTS)]
    lines = [f"{name} {_content(folder / name)}\n" for name in names if not name.startswith("inventory")]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _content(path: Path) -> str:
    """Return the hash of a file's bytes; of a store's shard and index, of what no compressor decides."""
    content = path.read_bytes()
    if path.parent.name == "shards":
        content = gzip.decompress(content)
    if path.parent.name == "index":
        rows = parquet.read_table(str(path)).drop_columns(list(OF_ISAL)).to_pylist()
        content = json.dumps(rows, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    """Write the digests of all stages, or say whose REVISION has to be raised first; return the exit code."""
    golden = read_golden() if GOLDEN.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        made = made_stages(Path(folder))
    wrong = [stage for stage, one in made.items() if must_be_raised(golden.get(stage), one)]
    for stage in wrong:
        print(complaint(stage, golden.get(stage), made[stage]), file=sys.stderr)
    if wrong:
        return 1
    write_golden(made)
    print(f"{GOLDEN}: " + ", ".join(f"{stage} {one.output[:12]}" for stage, one in made.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
