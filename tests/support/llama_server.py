"""llama.cpp itself, in a process of its own: python -m tests.support.llama_server MODEL.gguf QUERIES.json ANSWERS.json

Queries hold `texts` to split and `prompts` (lists of ids); answers hold their ids, and for each prompt the
log-probability of every token that may come next, by id.
"""

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import xllamacpp


def main(model: str, queries: str, answers: str) -> None:
    """Load the model, ask llama.cpp's own server in this process, and write what it says."""
    settings = xllamacpp.CommonParams()
    settings.model.path = model
    settings.n_parallel = 1
    settings.n_gpu_layers = 0
    settings.cpuparams.n_threads = 1
    settings.warmup = False
    settings.n_ctx = settings.n_batch = settings.n_ubatch = 32
    server = xllamacpp.Server(settings)
    asked = json.loads(Path(queries).read_text(encoding="utf-8"))
    options = {"n_predict": 1, "temperature": 0, "n_probs": asked["vocab_size"], "cache_prompt": False}
    found: dict[str, list[Any]] = {"ids": [], "logprobs": []}
    for text in asked["texts"]:
        found["ids"].append(_post(server, "/tokenize", {"content": text, "parse_special": True})["tokens"])
    for prompt in asked["prompts"]:
        answer = _post(server, "/completion", {"prompt": prompt, **options})
        best = answer["completion_probabilities"][0]["top_logprobs"]
        found["logprobs"].append([one["logprob"] for one in sorted(best, key=lambda one: one["id"])])
    Path(answers).write_text(json.dumps(found), encoding="utf-8")


def _post(server: Any, path: str, content: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(server.listening_address + path, json.dumps(content).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


if __name__ == "__main__":
    main(*sys.argv[1:])
