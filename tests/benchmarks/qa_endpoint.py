"""A server's letters beside torch's: `python -m tests.benchmarks.qa_endpoint MODEL GGUF QUESTIONS TASK LIMIT`.

MODEL is a directory of transformers' form, GGUF the same weights for llama.cpp, which serves them in a process of its
own (pip install xllamacpp); QUESTIONS a result of `corpuscle qa questions`. Printed: the differences of the letters'
log-probabilities, and how many choices differ; then what chat gives.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import Any

from corpus.qa.predictions import Prediction, read_predictions
from train.qa.config import EvaluateConfig
from train.qa.evaluation import evaluate
from train.qa.result_lines import result_lines


@contextmanager
def llama_server(gguf: str) -> Iterator[str]:
    """Yield the address of llama.cpp's server with a model."""
    words = [sys.executable, "-m", "tests.support.llama_endpoint", gguf]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = next(line.strip() for line in process.stdout if line.startswith("http"))
        try:
            yield f"{address}/v1"
        finally:
            process.stdin.close()
            process.wait(30)


def main(model: str, gguf: str, questions: str, task: str, limit: int) -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as work, llama_server(gguf) as base:

        def answers(source: str, output: str, **more: Any) -> list[Prediction]:
            split = "dev" if task != "mmlu" else "val"
            config = EvaluateConfig(**{"task": task, "split": split, "limit": limit, "top": 100, **more})
            evaluate(config, model=source, questions=questions, output=f"{work}/{output}")
            print(*result_lines(f"{work}/{output}", questions, config), sep="\n")
            return read_predictions(f"{work}/{output}")

        torch = answers(model, "torch", method="likelihood")
        served = answers(base, "served", method="likelihood", name="any", timeout=600)
        both = [(own, their) for own, their in zip(torch, served, strict=True) if their.scores]
        gaps = [abs(a - b) for own, their in both for a, b in zip(own.scores, their.scores, strict=True)]
        other = sum(own.choice != their.choice for own, their in zip(torch, served, strict=True))
        print(
            f"{len(both)} of {len(torch)} questions with all letters listed: mean difference {fmean(gaps):.3f} nats, "
            f"greatest {max(gaps):.3f}; {other} of {len(torch)} choices differ"
        )
        answers(base, "chat", method="chat", name="any", timeout=600)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
