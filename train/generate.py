"""Sample text from a trained run on the CPU: the newest verified checkpoint, weights only, never a pickle."""

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from corpus import storage
from corpus.progress import say
from tokenizer.config import END_OF_TEXT
from train import checkpoints
from train.config import ModelShape
from train.model import GPT

TEMPERATURE = 0.8
TOP_K = 40


def generate(run_dir: str, prompt: str, max_tokens: int, seed: int) -> str:
    """Return the prompt with one sampled sentence, or as far as `max_tokens` goes.

    Raises UsageError when the run has no checkpoint, CorruptError when none is intact.
    """
    checkpoint = checkpoints.newest_good(run_dir, say)
    model = load_model(run_dir, checkpoint)
    tokenizer = Tokenizer.from_file(storage.join(run_dir, "tokenizer.json"))
    end = tokenizer.token_to_id(END_OF_TEXT)
    assert end is not None, "a tokenizer of ours has an end of text"
    start = tokenizer.encode(prompt).ids or [end]  # every document begins after an end of text
    ids = list(start)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(max_tokens):
        window = ids[-model.shape.seq_length :]
        with torch.no_grad():
            scores = model.logits(torch.tensor([window]))[0, -1].float() / TEMPERATURE
        best, choices = scores.topk(min(TOP_K, len(scores)))
        chosen = int(choices[torch.multinomial(best.softmax(0), 1, generator=generator)])
        if chosen == end:
            break
        ids.append(chosen)
        sampled = tokenizer.decode(ids[len(start) :])
        if sentence := _sentence(sampled):
            return prompt + sentence
    return prompt + tokenizer.decode(ids[len(start) :])


def _sentence(text: str) -> str | None:
    """Return the first whole sentence of a text; None when it has not ended yet."""
    ends = [text.find(mark) for mark in (". ", ".\n", "? ", "! ")]
    found = [place for place in ends if place > 0]
    return text[: min(found) + 1] if found else None


def load_model(run_dir: str, checkpoint: checkpoints.Checkpoint) -> GPT:
    """Return the checkpoint's model in fp32, for inference."""
    model = GPT(ModelShape(**checkpoint.recipe["model"]))
    path = storage.join(checkpoints.checkpoint_path(run_dir, checkpoint.name), checkpoints.WEIGHTS)
    missing, unexpected = model.load_state_dict(
        {name: tensor.float() for name, tensor in load_file(path).items()}, strict=False
    )
    assert (missing, unexpected) == (["head.weight"], []), "all but the tied head, which is the token embedding"
    return model.eval()
