"""Token shards in other trainers' readers: `python -m tests.benchmarks.token_readers --folder DIR`.

A small corpus is packed with three tokenizers, ids of two bytes and of four; megatron-core's IndexedDataset gives the
documents, datatrove's dataset, on which nanotron's Nanoset is built, the windows of the stream. Both are held against
what the `tokenizers` library gives for the same texts. Readers go below `--folder`, without what they require and do
not import (torch is shared). Exit code 1 when an id differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from corpus.stage.manifest import read_manifest
from corpus.storage import parquet
from tests.support.environments import environment
from tests.support.kept_tokenizers import FORMS, folder_of, ids_of, truth
from tests.support.small_corpus import mixed_corpus
from tests.support.token_peers import WINDOW, Ids
from tests.tokenizer.test_given import pack

READERS = {"megatron": ("megatron-core", "0.16.1"), "datatrove": ("datatrove", "0.10.1")}


def packs(folder: Path) -> dict[str, Path]:
    """Pack a small corpus with each tokenizer; returns the directories of tokens by the tokenizer's form."""
    mixed_corpus(folder / "corpus")
    made = {form: folder / f"{form}-tokens" for form in FORMS}
    for form, place in made.items():
        pack(str(folder / "corpus"), folder_of(folder / form, form), place)
    return made


def documents_of(corpus: Path, form: str) -> list[Ids]:
    """Return the ids of each training document by shard, as `tokenizers` gives them, and the separator behind each."""
    oracle = truth(form)
    end = oracle.token_to_id(FORMS[form][1])
    shards = read_manifest(str(corpus), "assemble").paths(str(corpus), "train")
    texts = [parquet.read_table(shard, ["text"])["text"].to_pylist() for shard in shards]
    return [[[*ids_of(oracle, text), end] for text in shard] for shard in texts]


def windows_of(documents: Ids) -> Ids:
    """Return the full windows of a shard's stream."""
    stream = [number for own in documents for number in own]
    return [stream[start : start + WINDOW] for start in range(0, len(stream) - WINDOW + 1, WINDOW)]


def read_by(reader: str, places: list[Path], folder: Path) -> list[Any]:
    """Return what a reader gives for each directory; raises SystemExit with what it says when it fails."""
    variables = environment(folder, *READERS[reader])
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.token_peers", reader, *map(str, places)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{reader}: {done.stderr[-3000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[[")]


def main() -> int:
    """Print a line for each reader and tokenizer, and return the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.token_readers", description=__doc__)
    options.add_argument("--folder", type=Path, help="of the readers, kept; default: a temporary one")
    given = options.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        made = packs(Path(scratch))
        expected = {form: documents_of(Path(scratch, "corpus"), form) for form in made}
        for reader, (library, version) in READERS.items():
            answers = read_by(reader, [*made.values()], given.folder or Path(scratch, "readers"))
            for form, answer in zip(made, answers, strict=True):
                wanted = expected[form] if reader == "megatron" else [windows_of(shard) for shard in expected[form]]
                wrong += answer != wanted
                width = truth(form).get_vocab_size() > 1 << 16
                count = sum(len(shard) for shard in wanted)
                what = (
                    f"{count:,} {'documents' if reader == 'megatron' else 'windows'}, {4 if width else 2} bytes an id"
                )
                print(f"{library} {version}  {form}: {what}  {'ok' if answer == wanted else 'OTHER IDS'}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
