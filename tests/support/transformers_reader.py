"""transformers itself, in a process of its own: python -m tests.support.transformers_reader [MODEL QUERIES ANSWERS]...

A line of JSON for each exported directory as soon as it was read: the version, what it computes in, the ids of the
texts, how greedy generation goes on. QUERIES is JSON: `texts`, `rows` and `prompts` (ids), `new_tokens`; the logits of
the rows go to ANSWERS, a file of NumPy.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(words: list[str]) -> None:
    """Read each directory as its users do, with nothing but the Auto classes' defaults."""
    torch.set_num_threads(1)
    for model, queries, answers in zip(words[::3], words[1::3], words[2::3], strict=True):
        asked = json.loads(Path(queries).read_text(encoding="utf-8"))
        print(json.dumps({"model": model, **_read(model, asked, answers)}), flush=True)


def _read(place: str, asked: dict[str, Any], answers: str) -> dict[str, Any]:
    tokenizer: Any = AutoTokenizer.from_pretrained(place)
    model: Any = AutoModelForCausalLM.from_pretrained(place).eval()
    with torch.no_grad():
        np.save(answers, model(torch.tensor(asked["rows"])).logits.float().numpy())
        going_on = {"do_sample": False, "max_new_tokens": asked["new_tokens"]}
        begun = [torch.tensor([prompt]) for prompt in asked["prompts"]]
        ends = [model.generate(ids, attention_mask=torch.ones_like(ids), **going_on)[0] for ids in begun]
        # What the tokenizer gives is what the model takes: its dict changes nothing beside the ids alone.
        given = tokenizer(asked["texts"][0], return_tensors="pt", truncation=True)
        apart = (model(**given).logits - model(given["input_ids"]).logits).abs().max()
    return {
        "version": transformers.__version__,
        "computes_in": str(next(model.parameters()).dtype).removeprefix("torch."),
        "ids": [tokenizer(text)["input_ids"] for text in asked["texts"]],
        "texts": [tokenizer.decode(tokenizer(text)["input_ids"]) for text in asked["texts"]],
        "greedy": [end[len(prompt) :].tolist() for end, prompt in zip(ends, asked["prompts"], strict=True)],
        "dict_apart": float(apart),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
