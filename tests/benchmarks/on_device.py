"""Exported models on a CPU: bytes, load time, tokens a second, memory; beside transformers on the same file.

    python -m tests.benchmarks.on_device --shape 125m --folder /tmp/on-device
    python -m tests.benchmarks.on_device --shape 2.7b --folder /tmp/on-device    (int8 alone, 3 GB)

Weights are random: speed and size do not depend on them. Each figure is that of a process of its own, and the
first generated token is part of it.
"""

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from corpus import storage
from corpus.stage.workspace import Receipt, plan_stage
from tests.support.small_run import write_run
from tests.support.small_tokens import learn
from train.config import ModelShape, load_preset
from train.export.config import FORMATS, ExportConfig, ExportFormat
from train.export.ctranslate2 import write_ct2
from train.export.stage import export
from train.export.weights import EMBEDDING
from train.model.gpt import GPT, build_model

VOCAB, TOKENS, PROMPT_WORDS = 28_896, 64, 24
THREADS = (1, 2)
SIZES = {"125m": (12, 12, 768), "2.7b": (32, 20, 2560)}
COMPARED: dict[str, tuple[ExportFormat, ...]] = {
    "125m": ("folded", "ct2-float32", "ct2-int8"),
    "2.7b": ("ct2-int8",),
}
LINE = re.compile(r"\(([\d.]+) CPU s\), ([\d.,]+) tokens/s .* loaded in ([\d.]+) s, peak memory ([\d,]+) MB")
FRONT_DOOR = ("-m", "pipelines.cli.process")
PEER = """
import sys, time
start = time.monotonic()
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.set_num_threads(int(sys.argv[2]))
model, tokenizer = AutoModelForCausalLM.from_pretrained(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[1])
loaded, cpu = time.monotonic(), time.process_time()
inputs = tokenizer(sys.argv[3], return_tensors="pt")
found = model.generate(**inputs, max_new_tokens=int(sys.argv[4]), do_sample=True, top_k=40, temperature=0.8)
seconds, new = time.monotonic() - loaded, found.shape[1] - inputs["input_ids"].shape[1]
cpu = time.process_time() - cpu
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1e3
loading = loaded - start
print(f"({cpu:.2f} CPU s), {new / seconds:.1f} tokens/s and loaded in {loading:.2f} s, peak memory {peak:.0f} MB")
"""


def main() -> None:
    """Make the run and its exports if they are not there, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SIZES, default="125m")
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    place = arguments.folder / arguments.shape
    shape = _shape(arguments.shape)
    _make(place, shape, COMPARED[arguments.shape])
    print(f"{shape.num_parameters:,} parameters, {TOKENS} tokens after a prompt of {PROMPT_WORDS} words")
    print(
        "| format | MB on disk | threads | load s | tokens/s | CPU ms/token | peak MB |\n|---|---|---|---|---|---|---|"
    )
    for row in _rows(place, COMPARED[arguments.shape]):
        print("| " + " | ".join(row) + " |", flush=True)


def _shape(name: str) -> ModelShape:
    layers, heads, hidden = SIZES[name]
    model = load_preset("biomedlm-2.7b").model.model_copy(
        update={"layers": layers, "heads": heads, "hidden": hidden, "dropout": 0.0}
    )
    return model.shape(seq_length=1024, vocab_size=VOCAB)


def _make(place: Path, shape: ModelShape, formats: tuple[ExportFormat, ...]) -> None:
    if (place / "out/manifest.json").exists():
        return
    letters = np.random.default_rng(0).integers(97, 123, (60_000, 9), dtype=np.uint8)
    texts = [" ".join(bytes(word).decode() for word in letters)]
    if shape.num_parameters < 1e9:
        write_run(place / "run", build_model(shape, seed=0), texts=texts)
        export(ExportConfig(formats=formats), run=str(place / "run"), output=str(place / "out"))
        return
    # The int8 file of a large model straight from random numbers: its run would be 10 GB.
    folder = place / "out" / FORMATS["ct2-int8"].path
    plain = dataclasses.replace(shape, scale_attn_by_inverse_layer_idx=False)
    write_ct2(str(folder), RandomWeights(plain), plain, tokenizer=learn(texts, VOCAB).to_str(), quantization="int8")
    config = ExportConfig(formats=formats).identity()
    workspace, _ = plan_stage(str(place / "out"), stage="export", revision=1, config=config, inputs=[])
    names = [f"{folder.name}/{path.name}" for path in sorted(folder.iterdir())]
    parts = tuple(workspace.measure(name, role="ct2-int8", rows=1) for name in names)
    sizes = {"ct2-int8": sum(part.bytes for part in parts)}
    workspace.commit([Receipt(task="export", parts=parts)], summary={"format_bytes": sizes})


class RandomWeights(Mapping[str, torch.Tensor]):
    """Weights of a shape that exist only while they are looked at."""

    def __init__(self, shape: ModelShape) -> None:
        with torch.device("meta"):
            self._shapes = {name: parameter.shape for name, parameter in GPT(shape).named_parameters()}
        self._shapes[EMBEDDING] = torch.Size((shape.vocab_size, shape.hidden))

    def __getitem__(self, name: str) -> torch.Tensor:
        return 0.02 * torch.randn(
            self._shapes[name], generator=torch.Generator().manual_seed(zlib.crc32(name.encode()))
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def _rows(place: Path, formats: tuple[ExportFormat, ...]) -> Iterator[tuple[str, ...]]:
    prompt = " ".join(["photosynthesis"] * PROMPT_WORDS)
    sizes = json.loads((place / "out/manifest.json").read_text())["summary"]["format_bytes"]
    ours = [sys.executable, *FRONT_DOOR, "generate", str(place / "out"), "--prompt", prompt]
    for kind in formats:
        for threads in THREADS:
            options = ["--format", kind, "--max-tokens", str(TOKENS), "--threads", str(threads)]
            yield _row(kind, sizes[kind], threads, [*ours, *options])
    if "folded" in formats:
        for threads in THREADS:
            command = [sys.executable, "-c", PEER, str(place / "out" / FORMATS["folded"].path), str(threads), prompt]
            size = storage.size(str(place / "out/folded/model.safetensors"))
            yield _row("transformers (peer)", size, threads, [*command, str(TOKENS)])


def _row(name: str, num_bytes: int, threads: int, command: list[str]) -> tuple[str, ...]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = LINE.search(done.stderr + done.stdout)
    assert found is not None, done.stderr
    cpu, rate = found.group(1, 2)
    load, peak = found.group(3, 4)
    return name, f"{num_bytes / 1e6:,.0f}", str(threads), load, rate, f"{float(cpu) * 1000 / TOKENS:,.0f}", peak


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
