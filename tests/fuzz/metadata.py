"""Files of settings and facts, mutated: `python -m tests.fuzz.metadata --runs N`.

A reader of a manifest, a receipt, a job, a checkpoint, a tokenizer, an evaluation set or a YAML file returns a value or
raises a CorpuscleError, whatever the bytes: never another error, never a hang. Manifests get their own hash again after
a mutation of their values, or none of them would be read further.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from corpus.assemble.evaluation_sets import read_evaluation
from corpus.errors import CorpuscleError
from corpus.extract.task import read_receipts
from corpus.fetch.http.client import Fault
from corpus.fetch.pmc.choice import read_pinned
from corpus.fetch.pmc.inventory import read_manifest as read_inventory
from corpus.fetch.pmc.metadata_rows import Detail, read_detail
from corpus.stage.manifest import MANIFEST, Books, Input, Manifest, Part, read_manifest, write_manifest
from corpus.stage.withdraw import WITHDRAWN, finish_withdrawal
from corpus.stage.workspace import RECEIPTS, Receipt, WorkFile, Workspace
from corpus.storage.schema import to_table
from pipelines.inspection.stages import inspect_path
from pipelines.inspection.verification import verify_directory
from pipelines.workflow.config import load
from pipelines.workflow.planted import compare_with_planted
from tests.fuzz import more_metadata
from tests.fuzz.run import Run
from tokenizer.encode import Encoder, decoded
from tokenizer.hf_json import tokenizer_json
from train.checkpoint import store
from train.config import ModelShape, TrainConfig, load_preset, with_settings
from train.job import JOB, Job, error_path, read_error, read_job, write_job
from train.loop.metrics import METRICS, read_metrics

PART = Part(path="records/a.parquet", role="records", rows=1, bytes=2, sha256="0" * 64)
BOOKS = Books(read=2, kept=1, dropped={"bad_xml": 1})
SHAPE = ModelShape(
    layers=2, heads=2, hidden=8, seq_length=8, vocab_size=260, dropout=0.0, scale_attn_by_inverse_layer_idx=True
)
SUMMARIES: dict[str, Any] = {
    "extract": {"citations": 3},
    "tokenizer": {"bytes_per_token": {"pubmed": 4.2}, "vocab_size": 300, "training_documents": 7},
    "pack": {"seq_length": 8, "splits": {"train": {"tokens": 9, "rows": 1, "tail": 1}}},
    "train": dict.fromkeys(("parameters", "steps", "tokens"), 5)
    | dict.fromkeys(("first_loss", "last_loss", "validation_loss", "unigram_entropy"), 2.5),
    "export": {"format_bytes": {"gguf-f16": 12}, "parameters": 5, "step": 7},
}
WORDS: list[Any] = [
    None, True, -1, 0, 1.5, 10**18, 1 << 63, 10**30, 10**60, float("nan"), float("inf"), "", "a", "\0", "\ud800",
    "../x",    "/etc/passwd", "gs://a/b", "..", "~", "~/x", "é" * 300, [], {}, [[]], {"a": {"b": 1}}, ["x"], {"": 0},
]  # fmt: skip
PIECES = [
    b"[", b"{", b"]", b"}", b"[" * 100_000, b'{"a":' * 5_000, b"NaN", b"-Infinity", b"1" * 5_000, b'"\\ud800"', b"\xff",
    b"\0", b",", b":", b'"a":1,"a":2,', b"1e999", b"null", b"\n", b"\xef\xbb\xbf", b"&a [*a, *a]", b"*a", b"!!int ''",
    b"!!bool x", b"!!timestamp x", b"? [a]\n: b\n", b"<<: *a\n", b"2026-13-45", b"0b_", b"- ", b"\n  x: &x [*x]\n",
    b"!!python/object:os.system {}", b"{1: 2}", b"\t", b"---\n", b"%YAML 9.9\n", b"~/x",
]  # fmt: skip


def _manifest(stage: str) -> Manifest:
    settings = load_preset("tiny").model_dump(mode="json") if stage == "train" else {"a": 1, "b": [1.5, None]}
    inputs = (Input(name="a", fingerprint="1"),)
    return Manifest(
        stage=stage, revision=1, fingerprint="f" * 64, config=settings, inputs=inputs, parts=(PART,), books=BOOKS,
        summary=SUMMARIES[stage], version="9.9",
    )  # fmt: skip


@cache
def folder() -> Path:
    """Return a directory of this process."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    return Path(tempfile.mkdtemp(dir=place))


def _file(name: str, data: bytes) -> str:
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def _stage(data: bytes) -> None:
    path = Path(_file(f"stage/{MANIFEST}", data)).parent
    verify_directory(str(path))
    inspect_path(str(path))
    read_manifest(str(path))


def _planted(data: bytes) -> None:
    compare_with_planted("/nowhere", _manifest("extract"), _file("planted.json", data))


def _receipt(data: bytes) -> None:
    output = str(folder() / "work")
    space = Workspace(output=output, stage="extract", revision=1, fingerprint="f", config={}, inputs=())
    _file(f"work/{RECEIPTS}/extract-a.json", data)
    space.receipts("extract")


def _withdrawn(data: bytes) -> None:
    _file(f"withdrawn/{WITHDRAWN}", data)
    finish_withdrawal(str(folder() / "withdrawn"))


def _pinned(data: bytes) -> None:
    read_pinned(str(Path(_file("spool/pinned.json", data)).parent), 1)


def _checkpoint(data: bytes) -> None:
    _file(f"run/{store.FOLDER}/step-00000007/{store.DESCRIPTION}", data)
    store.read_checkpoint(str(folder() / "run"), "step-00000007")


def _list(data: bytes) -> None:
    _file(f"run/{store.FOLDER}/{store.LATEST}", data)
    store.read_list(str(folder() / "run"))


def _job(data: bytes) -> None:
    _file(f"run/{JOB}", data)
    read_job(str(folder() / "run"))


def _metrics(data: bytes) -> None:
    _file(f"run/{METRICS}", data)
    read_metrics(str(folder() / "run"), 5)


def _error(data: bytes) -> None:
    path = Path(error_path(str(folder() / "run"), 0))
    _file(str(path.relative_to(folder())), data)
    read_error(str(folder() / "run"), 0)


def _tokenizer(data: bytes) -> None:
    Encoder(decoded(_file("other.json", data)))
    inspect_path(_file("tokenizer.json", data))


def _inventory(data: bytes) -> None:
    with suppress(Fault):
        read_inventory("2026-01-01", data)


def _detail(data: bytes) -> None:
    to_table([read_detail(7, 1, "e", data)], Detail)


@cache
def _tiny() -> TrainConfig:
    return load_preset("tiny")


def _assignment(data: bytes) -> None:
    with_settings(_tiny(), [data.decode("utf-8", "replace")])


CHECKS: dict[str, Callable[[bytes], object]] = {
    **{f"manifest-{stage}": _stage for stage in SUMMARIES},
    "receipt": _receipt,
    "receipts": lambda data: read_receipts(_file("receipts.json", data)),
    "withdrawn": _withdrawn,
    "pinned": _pinned,
    "planted": _planted,
    "checkpoint": _checkpoint,
    "list": _list,
    "job": _job,
    "metrics": _metrics,
    "error": _error,
    "tokenizer": _tokenizer,
    "json": lambda data: inspect_path(_file("any.json", data)),
    "evaluation": lambda data: read_evaluation(_file("set.json", data)),
    "inventory": _inventory,
    "detail": _detail,
    "run": lambda data: load(_file("run.yaml", data)),
    "preset": lambda data: load_preset(_file("train.yaml", data)),
    "assignment": _assignment,
    **more_metadata.checks(_file),
}


@cache
def _values() -> dict[str, list[Any]]:
    """Return the content of good JSON files by kind."""
    receipt = asdict(
        Receipt(task="extract/a", parts=(PART,), work=(WorkFile(path="_work/b", bytes=1, xxh3="0"),), books=BOOKS)
    )
    entry = store.ListedCheckpoint(name="step-00000007", step=7, sha256="0" * 64)
    described = store.Checkpoint(
        step=7, tokens=5, ranks=1, zero_stage=1, tokens_fingerprint="f", recipe={"model": asdict(SHAPE)},
        files={"model.safetensors": store.FileHash(bytes=1, sha256="0")},
    )  # fmt: skip
    question = {"id": "q1", "body": "Is it?", "documents": ["http://www.ncbi.nlm.nih.gov/pubmed/123"], "pmid": 5}
    data_file = {"key": "a/data/b.csv.gz", "size": 5, "MD5checksum": "0" * 32}
    return {
        "receipt": [{**receipt, "fingerprint": "f"}],
        "receipts": [[receipt, receipt]],
        "withdrawn": [["records/a", "records/b"]],
        "pinned": [{"date": "2026-01-01", "isal": ["1.7"], "revision": 1}],
        "planted": [
            {
                "cases": [
                    {"name": "a", "fates": [{"doc_id": "pmid:1", "kind": "citation", "outcomes": [], "survivor": None}]}
                ]
            }
        ],
        "checkpoint": [asdict(described)],
        "list": [{"checkpoints": [asdict(entry)], "sha256": store._list_hash((entry,))}],
        "error": [{"exit_code": 3, "message": "no"}],
        "json": [{"a": [1, {"b": None}]}],
        "evaluation": [{"questions": [question]}, [question], {"123": {"QUESTION": "a", "CONTEXTS": ["b"]}}, question],
        "inventory": [{"fileSchema": "Bucket, Key, ETag", "fileFormat": "CSV", "files": [data_file]}],
        "detail": [{"pmcid": "PMC7", "version": 1, "pmid": 5, "doi": "10.1/x", "xml_url": "s3://a?md5=" + "0" * 32}],
    }


@cache
def seeds(kind: str) -> tuple[bytes, ...]:
    """Return good files of a kind, as the product writes them."""
    if kind.startswith("manifest-"):
        write_manifest(str(folder() / "seed"), _manifest(kind.removeprefix("manifest-")))
        return ((folder() / "seed" / MANIFEST).read_bytes(),)
    found = _values() | more_metadata.values()
    if kind in found:
        return tuple(json.dumps(value).encode() for value in found[kind])
    if kind == "job":
        places = {"tokens": "/t", "tokens_fingerprint": "f", "output": str(folder() / "job")}
        write_job(Job(config=load_preset("tiny"), shape=SHAPE, **places, resume="step-00000007", resume_step=7))
        return ((folder() / "job" / JOB).read_bytes(),)
    texts = {
        "metrics": '{"step": 1, "loss": 2.5}\n{"step": 2, "loss": NaN}\n',
        "tokenizer": tokenizer_json([(b"a", b"b"), (b"ab", b"c")]),
        "run": "work: &w out\nextract:\n  pubmed: [a.xml.gz, *w]\nassemble: {threshold: 0.85}\ntrain: {config: tiny}\n",
        "preset": (Path(__file__).resolve().parents[2] / "train/presets/tiny.yaml").read_text(),
        "assignment": "model.dropout=0.1",
        **more_metadata.texts(folder()),
    }
    return (texts[kind].encode(),)


def mutate(kind: str, rng: random.Random) -> bytes:
    """Return a seed of a kind after some changes of its values, its bytes, or both."""
    data = rng.choice(seeds(kind))
    if rng.random() < 0.6:
        with suppress(ValueError, RecursionError):
            data = _rewritten(kind, data, rng)
    if rng.random() < 0.5:
        for _ in range(rng.choice((1, 1, 2, 4))):
            data = _changed(data, rng)
    return data


def _rewritten(kind: str, data: bytes, rng: random.Random) -> bytes:
    content = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        content = _altered(content, rng)
    if kind.startswith("manifest-") and isinstance(content, dict) and "sha256" in content:
        del content["sha256"]
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        content["sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return json.dumps(content).encode()


def _altered(value: Any, rng: random.Random) -> Any:
    """Return a value of JSON with one place in it replaced, taken out, put in or renamed."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.1:
        return rng.choice(WORDS)
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    place = rng.randrange(len(items))
    name, inner = items[place]
    deed = rng.choice(("in", "in", "in", "in", "out", "more", "rename", "twice"))
    if deed == "in":
        items[place] = name, _altered(inner, rng)
    elif deed == "out":
        del items[place]
    elif deed == "rename":
        items[place] = rng.choice(["zzz", "../x", "", str(name) + "x"]), inner
    else:
        items.append((rng.choice(["zzz", "/x", "parts"]), inner if deed == "twice" else rng.choice(WORDS)))
    return dict(items) if isinstance(value, dict) else [inner for _, inner in items]


def _changed(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    end = min(len(data), start + rng.randint(0, 20))
    piece = rng.choice((rng.choice(PIECES), rng.randbytes(rng.randint(0, 3)), data[start:end] * 2, b""))
    return data[:start] if rng.random() < 0.1 else data[:start] + piece + data[end:]


def check(kind: str, data: bytes) -> None:
    """Read a file of a kind; raises whatever is neither a value nor one of our errors."""
    with suppress(CorpuscleError):
        CHECKS[kind](data)


def main() -> int:
    """Run and return the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz.metadata", description=(__doc__ or "").splitlines()[0])
    options.add_argument("--kind", choices=CHECKS, action="append", help="one kind alone; repeatable")
    options.add_argument("--runs", type=int, required=True, help="number of inputs of each kind")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    given = options.parse_args()
    found = 0
    for kind in given.kind or CHECKS:

        def one(data: bytes, kind: str = kind) -> None:
            check(kind, data)

        run, rng = Run(parser=kind, runs=given.runs, findings=given.findings, check=one), random.Random(given.seed)
        for data in seeds(kind):
            CHECKS[kind](data) if kind != "planted" else None
        while run.count < run.runs:
            run.one(mutate(kind, rng))
        found += len(run.found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
