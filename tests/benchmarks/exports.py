"""Exports in the versions that model cards name: `python -m tests.benchmarks.exports --folder DIR`.

Small trained models of every kind of vocabulary and size are exported in every format and number type, and read by
each version in a process of its own: log-probabilities of every token beside the run's own, ids of texts, greedy
generation. The versions are those of `train.export.config.TRIED`; what is not installed is put below `--folder`, over
the torch that is (0.1 GB a version). `--only transformers==4.48.0` tries another. A line is printed as soon as it is
measured, the table of docs/benchmarks.md at the end; exit code 1 when an export is not the model that was trained.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.support.environments import environment
from tests.support.small_exports import DTYPES, IDS, NUM_PROMPTS, QUERIES, SIZES, Exported, exported
from train.export.config import FORMATS, TRIED, ExportFormat

# Mean difference of a log-probability, nats, of safetensors in half precision, which transformers 5 computes in: seen
# 0.024 on these models, whose weights are far larger than trained ones; 0.13 to 0.21 without the layer scale.
COMPUTED_IN_HALF = 0.05
LOGITS = "logits.npy"
Environment = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one version makes of one export; gaps are differences of log-probabilities in nats."""

    library: str
    version: str
    sizes: str
    kind: ExportFormat
    numbers: str  # of the files of safetensors, else of the format
    largest: float
    mean: float
    ids: bool | None = None  # texts are split as the run's tokenizer does; None: it is not this library's to do
    greedy: int | None = None  # prompts that go on as with the trained model

    @property
    def fault(self) -> str:
        """Return what is wrong with the export in this version, "" for nothing."""
        wrong = ["ids"] if self.ids is False else []
        if self.mean > self.limit:
            wrong.append("another model")
        elif self.greedy not in (None, NUM_PROMPTS) and self.numbers == "float32":
            wrong.append("greedy")
        return ", ".join(wrong)

    @property
    def limit(self) -> float:
        """Return the mean difference from which it is another model."""
        return COMPUTED_IN_HALF if self.numbers in ("float16", "bfloat16") else FORMATS[self.kind].tolerance

    @property
    def is_claimed(self) -> bool:
        """Say whether cards name this version for this format."""
        return self.kind != "faithful" or self.version == TRIED[self.library][-1]

    @property
    def verdict(self) -> str:
        """Return the fault as it is said; cards name no version in which a format is another model."""
        return f"{self.fault}{'' if self.is_claimed else ', as cards say'}" if self.fault else "ok"

    def cells(self, num_prompts: int = NUM_PROMPTS) -> tuple[str, ...]:
        """Return what is said of the row, or of the worst of some."""
        ids = {True: "equal", False: "OTHER", None: "–"}[self.ids]
        greedy = "–" if self.greedy is None else f"{self.greedy} of {num_prompts}"
        return f"`{self.kind}`", self.numbers, f"{self.largest:.6f}", f"{self.mean:.6f}", ids, greedy


def gaps(found: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    """Return the largest and the mean difference of log-probabilities, nats."""
    assert found.shape == wanted.shape, f"{tuple(found.shape)} logits for {tuple(wanted.shape)}"
    apart = (found - wanted).abs()
    return {"largest": float(apart.max()), "mean": float(apart.mean())}


def transformers_rows(models: Sequence[Exported], variables: Environment, version: str) -> Iterator[dict[str, Any]]:
    """Yield what a version of transformers makes of each directory of safetensors, all read in one process."""
    asked = [(one, dtype, kind) for one in models for dtype in DTYPES for kind in ("folded", "faithful")]
    words = [str(one.folder / name) for one, dtype, kind in asked for name in (f"{dtype}/{kind}", QUERIES, LOGITS)]
    command = [sys.executable, "-m", "tests.support.transformers_reader", *words]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
        subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=said, text=True) as reader,
    ):
        assert reader.stdout is not None
        for (one, dtype, kind), line in zip(asked, reader.stdout, strict=False):
            found = json.loads(line)
            assert found["version"] == version, f"{found['version']} ran instead of {version}"
            logits = torch.from_numpy(np.load(one.folder / LOGITS))
            right = (found["ids"], found["texts"], found["dict_apart"]) == (one.ids, one.texts, 0)
            yield {
                "sizes": one.sizes,
                "kind": kind,
                "numbers": dtype,
                "ids": right,
                "greedy": sum(map(list.__eq__, found["greedy"], one.greedy)),
                **gaps(logits.log_softmax(-1), one.log_probs),
            }
        if reader.wait():
            said.seek(0)
            raise SystemExit(f"transformers {version}: {said.read()[-3000:]}")


def llama_rows(models: Sequence[Exported], variables: Environment, version: str) -> Iterator[dict[str, Any]]:
    """Yield what llama.cpp makes of each GGUF; its server gives the log-probabilities behind a prompt alone."""
    for one in models:
        for kind in ("gguf-f16", "gguf-q8_0"):
            answers = one.folder / "answers.json"
            _ask("llama_server", variables, one.folder / "float32" / FORMATS[kind].path, one.folder / QUERIES, answers)
            found = json.loads(answers.read_text(encoding="utf-8"))
            log_probs = torch.tensor(found["logprobs"])
            yield {
                "sizes": one.sizes,
                "kind": kind,
                "numbers": FORMATS[kind].numbers,
                "ids": found["ids"] == one.ids,
                "greedy": int((log_probs.argmax(-1) == torch.tensor(one.greedy)[:, 0]).sum()),
                **gaps(log_probs, one.next_log_probs),
            }


def ctranslate2_rows(models: Sequence[Exported], variables: Environment, version: str) -> Iterator[dict[str, Any]]:
    """Yield what CTranslate2 makes of each of its directories."""
    for one in models:
        for kind in ("ct2-float32", "ct2-int8"):
            logits = one.folder / LOGITS
            _ask("ct2_logits", variables, one.folder / "float32" / FORMATS[kind].path, one.folder / IDS, logits)
            found = torch.from_numpy(np.load(logits)).log_softmax(-1)
            yield {"sizes": one.sizes, "kind": kind, "numbers": FORMATS[kind].numbers, **gaps(found, one.log_probs)}


def _ask(reader: str, variables: Environment, *places: Path) -> None:
    command = [sys.executable, "-m", f"tests.support.{reader}", *map(str, places)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{reader}, {places[0]}: {done.stderr[-3000:]}")


Reader = Callable[[Sequence[Exported], Environment, str], Iterator[dict[str, Any]]]
READERS: dict[str, Reader] = {
    "transformers": transformers_rows,
    "xllamacpp": llama_rows,
    "ctranslate2": ctranslate2_rows,
}
VERSIONS = tuple(f"{library}=={version}" for library, versions in TRIED.items() for version in versions)
HEAD = ("version", "format", "numbers", "largest, nats", "mean, nats", "ids", "greedy", "")


def worst(rows: Iterable[Row]) -> Iterator[str]:
    """Yield lines of a table: of each version and format, the worst over all sizes."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.library, row.version, row.kind, row.numbers), []).append(row)
    yield from (f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|")
    for (library, version, *_), found in groups.items():
        last = max(found, key=lambda row: (bool(row.fault), row.mean))
        whole = replace(
            last,
            largest=max(row.largest for row in found),
            mean=max(row.mean for row in found),
            ids=None if last.ids is None else all(row.ids for row in found),
            greedy=None if last.greedy is None else sum(row.greedy or 0 for row in found),
        )
        cells = (f"{library} {version}", *whole.cells(NUM_PROMPTS * len(found)), last.verdict)
        yield f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the lines and the table, and return the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.exports", description=__doc__)
    options.add_argument("--folder", type=Path, help="of the versions, kept; default: a temporary one")
    options.add_argument("--only", action="append", metavar="LIBRARY==VERSION", help=f"default: {', '.join(VERSIONS)}")
    options.add_argument("--vocabulary", type=int, action="append", help="models of this size alone; repeatable")
    given = options.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        chosen = [shape for shape in SIZES if not given.vocabulary or shape.vocab_size in given.vocabulary]
        models = [exported(Path(scratch, str(number)), shape) for number, shape in enumerate(chosen)]
        for named in given.only or VERSIONS:
            library, _, version = named.partition("==")
            variables = environment(given.folder or Path(scratch, "versions"), library, version)
            for found in READERS[library](models, variables, version):
                rows.append(row := Row(library=library, version=version, **found))
                print(f"{library}=={version} ", row.sizes, "", *row.cells(), "", row.verdict, flush=True)
    print("", *worst(rows), sep="\n")
    return int(any(row.fault and row.is_claimed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
