"""A finished `pack` directory made from texts in a second: what the tests of training read.

The tokenizer is learned by `tokenizers`; shards and manifest are written as `pack` writes them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus.stage.manifest import Input, Part
from corpus.stage.workspace import Receipt, open_workspace
from corpus.storage.files import sha256_file
from tokenizer.config import NUM_BYTES
from tokenizer.hf_json import tokenizer_json
from tokenizer.megatron import write_shard
from tokenizer.reference import train
from tokenizer.sources import SOURCES, write_sources

END = "<|endoftext|>"
FROM_TEXTS = 132  # merges that a few sentences give, at most


def made_up_texts(documents: int, *, seed: int, words: int = 120) -> list[str]:
    """Return documents of a made-up language in which a word nearly decides the next one."""
    generator = np.random.default_rng(seed)
    syllables = [first + vowel for first in "bdfgklmnprst" for vowel in "aeiou"]
    vocabulary = ["".join(np.random.default_rng([7, word]).choice(syllables, 3)) for word in range(200)]
    texts = []
    for _ in range(documents):
        word, text = int(generator.integers(200)), []
        for _ in range(words):
            text.append(vocabulary[word])
            word = (word * 17 + 5 + int(generator.integers(3))) % 200
        texts.append(" ".join(text) + ". ")
    return texts


def write_tokens(
    folder: Path, texts: Sequence[str], *, vocab_size: int, seq_length: int, validation: float = 0.1
) -> Path:
    """Write the texts as a finished pack stage, the last ones as validation split; return the folder."""
    tokenizer = learn(texts, vocab_size)
    end = tokenizer.token_to_id(END)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    parts = [_part(folder, "tokenizer.json", "tokenizer", 1)]
    held_out = round(len(texts) * validation)
    splits: dict[str, dict[str, Any]] = {}
    for split, chosen in (("train", texts[: len(texts) - held_out]), ("validation", texts[len(texts) - held_out :])):
        encoded = [np.array(found.ids, np.uint16) for found in tokenizer.encode_batch(list(chosen))]
        flat = np.concatenate([np.empty(0, np.uint16), *encoded])
        lengths = np.array([len(ids) for ids in encoded], np.int64)
        tokens, documents = write_shard(str(folder / f"{split}-00000"), [(flat, lengths)], eot=end)
        parts.append(_part(folder, f"{split}-00000.bin", split, tokens))
        parts.append(_part(folder, f"{split}-00000.idx", f"{split}_index", documents))
        by_source = _sources(folder / f"{split}-00000", lengths + 1)
        parts.append(_part(folder, f"{split}-00000.src", f"{split}_sources", documents))
        splits[split] = {"documents": documents, "tokens": tokens, "rows": tokens // seq_length, **by_source}
    inputs = (Input(name="texts", fingerprint=parts[1].sha256),)
    summary = {
        "vocab_size": tokenizer.get_vocab_size(),
        "end_of_text": end,
        "seq_length": seq_length,
        "splits": splits,
    }
    config = {"seq_length": seq_length}
    workspace = open_workspace(str(folder), stage="pack", revision=1, config=config, inputs=inputs)
    workspace.commit([Receipt(task="pack", parts=tuple(parts))], summary=summary)
    return folder


def _sources(stem: Path, lengths: npt.NDArray[np.int64]) -> dict[str, dict[str, int]]:
    """Make every other document an article; return the ledger's tokens of each source."""
    codes = np.arange(len(lengths), dtype=np.uint8) % len(SOURCES)
    write_sources(str(stem), [codes])
    by_source = {name: int(lengths[codes == code].sum()) for code, name in enumerate(SOURCES)}
    return {"tokens_by_source": {name: count for name, count in by_source.items() if count}}


def learn(texts: Sequence[str], vocab_size: int) -> Tokenizer:
    """Return a byte-level BPE with the end of text as the last id."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size - 1, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([END])
    return tokenizer


def tokenizer_of(vocab_size: int, texts: Sequence[str]) -> str:
    """Return a tokenizer.json of any size, 257 to 65,536 entries, as the `tokenizer` stage writes it.

    Behind what the texts give stand pairs of bytes, those of two letters last: random letters have the highest ids.
    """
    wanted = vocab_size - NUM_BYTES - 1
    merges = train(texts, num_merges=min(wanted, FROM_TEXTS), min_frequency=1)
    known = {left + right for left, right in merges}
    pairs = [bytes(divmod(int(code), 256)) for code in np.random.default_rng(1).permutation(1 << 16)]
    pairs = [pair for pair in pairs if pair not in known][: wanted - len(merges)]
    letters = {pair for pair in pairs if pair.isalpha()}
    ordered = [*(pair for pair in pairs if pair not in letters), *(pair for pair in pairs if pair in letters)]
    return tokenizer_json([*merges, *((pair[:1], pair[1:]) for pair in ordered)])


def _part(folder: Path, name: str, role: str, rows: int) -> Part:
    path = folder / name
    return Part(path=name, role=role, rows=rows, bytes=path.stat().st_size, sha256=sha256_file(str(path)))
