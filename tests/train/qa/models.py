"""Small models and question sets for the tests of question answering."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, PreTrainedTokenizerFast

from corpus.qa.question import Question
from train.model.backbone import Backbone, LoadedFacts, checked_backbone, text_of

WORDS = tuple(f"w{number}" for number in range(40))
SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "<|endoftext|>")


def word_tokenizer(words: Sequence[str] = WORDS, *, encoder: bool = False) -> PreTrainedTokenizerFast:
    """Return a tokenizer of whole words, of an encoder ([CLS], [SEP], [PAD]) or a decoder (end = pad)."""
    names = SPECIAL if encoder else ("[UNK]", "<|endoftext|>")
    vocabulary = {word: number for number, word in enumerate([*names, *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    if encoder:
        special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    else:
        special = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=96, **special)


def gpt2(words: Sequence[str] = WORDS, *, seed: int = 0, layers: int = 2, hidden: int = 32, **more: Any) -> Any:
    """Return a random GPT-2 body without dropout, with transformers' initial weights."""
    config = GPT2Config(
        vocab_size=len(words) + 2, n_embd=hidden, n_layer=layers, n_head=2, n_positions=96, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1, eos_token_id=1, pad_token_id=1, **more,
    )  # fmt: skip
    torch.manual_seed(seed)
    return GPT2Model(config).eval()


def bert(words: Sequence[str] = WORDS, *, seed: int = 0, **more: Any) -> Any:
    """Return a random BERT body without dropout, and without a pooler."""
    config = BertConfig(
        vocab_size=len(words) + len(SPECIAL), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=96, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        pad_token_id=3, **more,
    )  # fmt: skip
    torch.manual_seed(seed)
    return BertModel(config, add_pooling_layer=False).eval()


def loud(model: Any, *, seed: int = 1, scale: float = 0.15) -> Any:
    """Return a model with its weights moved far from their initial values, so that every part of it matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=generator)
    return model


def backbone_of(model: Any, tokenizer: Any) -> Backbone:
    """Return a backbone around a model that is in memory."""
    return checked_backbone(model, text_of(tokenizer), LoadedFacts(source="test", fingerprint="0", model_type="test"))


def write_gpt2(folder: Path, words: Sequence[str] = WORDS, **more: Any) -> Path:
    """Write a random GPT-2 directory of transformers' form and return it."""
    gpt2(words, **more).save_pretrained(folder)
    word_tokenizer(words).save_pretrained(folder)
    return folder


def write_bert(folder: Path, words: Sequence[str] = WORDS, **more: Any) -> Path:
    """Write a random BERT directory of transformers' form and return it."""
    bert(words, **more).save_pretrained(folder)
    word_tokenizer(words, encoder=True).save_pretrained(folder)
    return folder


def planted_choice(count: int, split: str, *, seed: int, words: Sequence[str] = WORDS[:12]) -> list[Question]:
    """Return multiple-choice questions whose right option is the one named in the question."""
    rng = random.Random(f"{seed} {split}")
    found = []
    for number in range(count):
        options = rng.sample(words, 4)
        label = rng.randrange(4)
        text = f"w30 {options[label]} w31"
        found.append(
            Question(
                id=f"{split}-{number}", task="planted", split=split, text=text, options=tuple(options), label=label
            )
        )
    return found


def planted_labels(count: int, split: str, *, seed: int) -> list[Question]:
    """Return yes/no questions whose answer is which of two kinds of word stands somewhere in the context."""
    rng = random.Random(f"{seed} {split}")
    found = []
    for number in range(count):
        label = rng.randrange(2)
        context = [*rng.sample(WORDS[:12], 3), rng.choice(WORDS[12:16] if label else WORDS[16:20])]
        rng.shuffle(context)
        found.append(
            Question(
                id=f"{split}-{number}",
                task="planted-labels",
                split=split,
                text="w30 w31",
                context=" ".join(context),
                options=("no", "yes"),
                label=label,
            )
        )
    return found
