"""Tokenizers that `pack` takes: a result of the stage `tokenizer`, or a tokenizer.json that somebody else made.

In: a directory, or a file of Hugging Face's `tokenizers` with a byte-level BPE that splits words as GPT-2 does, up to
65,536 entries (ids are two bytes). Out: the same BPE in the form of `tokenizer.hf_json`: the token that separates
documents is spelled `<|endoftext|>` and has the last id, which every later stage relies on. GPT-2's own file has that
form, and keeps every id; where the separator stands elsewhere, the ids behind it move down by one. No other special
token is kept special: its spelling in a text is text. What would give other ids than `tokenizers` is refused by name.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tokenizers

from corpus import storage
from corpus.errors import RetryError, UsageError, did_you_mean
from corpus.stage.manifest import Input
from corpus.storage.json_files import parse_json
from tokenizer.config import END_OF_TEXT
from tokenizer.encode import Encoder, read_tokenizer
from tokenizer.hf_json import MOST_IDS, byte_letters, json_of

GIVEN = "tokenizer_file"  # the input's name in the manifest of `pack`
_UNSET = {  # settings of the model that change ids, and what leaves them as they are
    "dropout": (None, 0.0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (None, False),
    "ignore_merges": (None, False),
}
_PROBES = (
    "Patients with renal failure (n=25) didn't improve; p<0.05.\r\n\n  \tTNF-\u03b1 at 37\u00b0C ",
    "\x00\x85\u00a0 na\u00efve e\u0301 \u4e2d\u6587 \U0001f9ec \u00bd \u0663",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenTokenizer:
    """Tokenizer.json that was given, in the form of ours."""

    text: str  # as `tokenizer.hf_json` writes it
    sha256: str  # of the file's bytes
    vocab_size: int  # the separator included
    separator: str  # as the file spells it


def is_file(tokenizer: str) -> bool:
    """Say whether a tokenizer is given as a file, not as the directory of a finished stage."""
    return tokenizer.endswith(".json")


def read_given(path: str, separator: str | None = None) -> GivenTokenizer:
    """Return a tokenizer.json in the form of ours; `separator` is `<|endoftext|>` by default.

    Raises UsageError, which names what is wrong, for a file that is missing, is no byte-level BPE with GPT-2's split,
    has more than 65,536 entries or no such separator, or that `tokenizers` reads in another way.
    """
    if not storage.exists(path):
        raise UsageError(f"{path}: no such file; give a tokenizer.json, or the directory of `corpuscle tokenizer`")
    with storage.open_read(path) as source:
        raw = source.read()
    wanted = separator or END_OF_TEXT
    try:
        content = parse_json(raw)
        vocab, pairs = _vocabulary(content), _merges(content)
        problem = _model_problem(content, vocab, pairs) or _separator_problem(wanted, vocab, pairs)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"no tokenizer.json of Hugging Face's `tokenizers` ({type(error).__name__}: {error}); give another"
    if problem:
        raise UsageError(f"{path}: {problem}")
    ordered = sorted((token for token in vocab if token != wanted), key=vocab.__getitem__)
    ids = {token: number for number, token in enumerate([*ordered, END_OF_TEXT])}
    text = json_of(ids, pairs)
    _check_alike(raw.decode(), text, vocab[wanted], path)
    return GivenTokenizer(text=text, sha256=hashlib.sha256(raw).hexdigest(), vocab_size=len(ids), separator=wanted)


def pack_text(tokenizer: str, separator: str | None, inputs: Sequence[Input]) -> str:
    """Return the tokenizer.json that a run of `pack` encodes with; `inputs` are those it was planned with.

    Raises RetryError when the file is another one than at the start.
    """
    if not is_file(tokenizer):
        return read_tokenizer(tokenizer)
    given = read_given(tokenizer, separator)
    if [item.fingerprint for item in inputs if item.name == GIVEN] != [given.sha256]:
        raise RetryError(f"{tokenizer}: changed since this run began; nothing was committed, run the command again")
    return given.text


def _vocabulary(content: Mapping[str, Any]) -> dict[str, int]:
    """Return the ids of all tokens, those that the file adds to the model's included."""
    added = {token["content"]: token["id"] for token in content.get("added_tokens") or ()}
    vocab: dict[str, int] = {**content["model"].get("vocab", {}), **added}
    if {*map(type, vocab.values())} != {int} or sorted(vocab.values()) != list(range(len(vocab))):
        raise ValueError("its ids are not 0 to the last without a gap")
    return vocab


def _merges(content: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the pairs that are merged, in order; a file holds them as lists or joined by a space."""
    stated = content["model"].get("merges", [])
    return [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in stated]


def _model_problem(
    content: Mapping[str, Any], vocab: Mapping[str, int], pairs: Sequence[tuple[str, ...]]
) -> str | None:
    """Return why a file is no BPE whose ids can be had here, or None."""
    model, split = content["model"], content.get("pre_tokenizer") or {}
    kind = model.get("type", "BPE" if "merges" in model else "unknown")
    if kind != "BPE":
        return f"its model is {kind}; pack takes a byte-level BPE, such as GPT-2's"
    if len(vocab) > MOST_IDS:
        return f"its {len(vocab):,} entries need ids of four bytes; token shards have two: {MOST_IDS:,} entries at most"
    if (split.get("type"), split.get("add_prefix_space"), split.get("use_regex", True)) != ("ByteLevel", False, True):
        return (
            f"its pre-tokenizer is {split.get('type', 'none')}, and not GPT-2's (ByteLevel, add_prefix_space false, "
            "use_regex true), which later stages and exports rely on; give another tokenizer.json"
        )
    if content.get("normalizer") is not None:
        return "it has a normalizer, which changes the text before it is encoded; give one without"
    if changed := [name for name, kept in _UNSET.items() if model.get(name) not in kept]:
        return f"its model sets {changed[0]} to {model[changed[0]]!r}, which pack does not know; give one without"
    if plain := [token["content"] for token in content.get("added_tokens") or () if not token.get("special")]:
        return f"it adds {plain[0]!r} as a token that is not special; pack encodes by merges alone: give one without"
    if lacking := sum(letter not in vocab for letter in byte_letters()):
        return f"its vocabulary lacks {lacking} of the 256 bytes, so that some texts have no ids; give a byte-level BPE"
    if wrong := [pair for pair in pairs if len(pair) != 2 or "".join(pair) not in vocab or not {*pair} <= vocab.keys()]:
        return f"its merge {' '.join(wrong[0])!r} is no pair of its tokens; give an intact file"
    return None


def _separator_problem(wanted: str, vocab: Mapping[str, int], pairs: Sequence[tuple[str, ...]]) -> str | None:
    """Return why a token cannot end documents, or None."""
    made = {"".join(pair) for pair in pairs}.union(byte_letters())
    if wanted not in vocab:
        others = [token for token in vocab if token not in made]
        offered = f"it has {', '.join(map(repr, others[:5]))}" if others else "it has none that no text gives"
        near = did_you_mean(wanted, others)
        return f"no token {wanted!r} to end documents with; name one by --separator ({offered}){near}"
    if wanted in made:
        return f"the token {wanted!r} also stands for text, so that it cannot end documents; name another --separator"
    if wanted != END_OF_TEXT and END_OF_TEXT in vocab:
        return f"it has {END_OF_TEXT} itself, which later stages take for the separator; leave --separator out"
    return None


def _check_alike(raw: str, text: str, separator: int, path: str) -> None:
    """Raise UsageError unless `tokenizers` with the file as given and our encoder give the same ids of odd texts."""
    try:
        oracle = tokenizers.Tokenizer.from_str(raw)
    except Exception as error:  # whatever the library says of a file that it cannot read
        raise UsageError(f"{path}: `tokenizers` cannot read it ({error}); give another tokenizer.json") from error
    oracle.no_truncation()
    oracle.no_padding()
    oracle.encode_special_tokens = True
    encoder = Encoder(text, place=path)
    encoder.check(_PROBES)
    for probe in _PROBES:
        ids = oracle.encode(probe, add_special_tokens=False).ids
        if [number - (number > separator) for number in ids] != encoder.encode([probe])[0].tolist():
            raise UsageError(f"{path}: `tokenizers` encodes {probe[:20]!r} otherwise than by its merges; give another")
