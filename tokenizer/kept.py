"""Tokenizers that keep their own ids: a byte-level BPE of any split and size, as Llama 3, Qwen or GPT-NeoX have it.

In: the content of a tokenizer.json. Out: why `pack` cannot take it, by name, or None. The ids of a text are the file's
own, so that models of it can be trained further; the token that ends documents is a special one of the file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from corpus.errors import did_you_mean
from tokenizer.hf_json import byte_letters

_NEUTRAL = {  # settings of the model that change what text comes back, and what leaves it as it is
    "dropout": (None, 0.0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (None, False),
}
_SPLITTERS = ("Split", "Digits", "Punctuation")  # cut a text and lose nothing of it, unless they remove what they find


def kept_problem(
    content: Mapping[str, Any], vocab: Mapping[str, int], pairs: Sequence[tuple[str, ...]], separator: str | None
) -> str | None:
    """Return why the ids of a tokenizer.json cannot be had, or its separator cannot end documents; None if they can."""
    return _form_problem(content) or _entries_problem(content, vocab, pairs) or _end_problem(content, separator)


def bytes_problem(vocab: Mapping[str, int], pairs: Sequence[tuple[str, ...]]) -> str | None:
    """Return why a vocabulary and its merges do not reach every text, or None."""
    if lacking := sum(letter not in vocab for letter in byte_letters()):
        return f"its vocabulary lacks {lacking} of the 256 bytes, so that some texts have no ids; give a byte-level BPE"
    if wrong := [pair for pair in pairs if len(pair) != 2 or "".join(pair) not in vocab or not {*pair} <= vocab.keys()]:
        return f"its merge {' '.join(wrong[0])!r} is no pair of its tokens; give an intact file"
    return None


def _form_problem(content: Mapping[str, Any]) -> str | None:
    model = content["model"]
    kind = model.get("type", "BPE" if "merges" in model else "unknown")
    if kind != "BPE":
        return f"its model is {kind}; pack takes a byte-level BPE, such as GPT-2's, Llama 3's or Qwen's"
    normalizer = (content.get("normalizer") or {"type": "NFC"}).get("type")
    if normalizer != "NFC":  # the corpus is in NFC already
        return f"it has a normalizer ({normalizer}), which changes the text before it is encoded; give one without"
    if problem := _split_problem(content.get("pre_tokenizer") or {}):
        return f"{problem}; give a byte-level BPE"
    if "ByteLevel" not in _types(content.get("decoder") or {}, "decoders"):
        return "its decoder is not ByteLevel, so that its ids do not give the text back; give a byte-level BPE"
    if changed := [name for name, neutral in _NEUTRAL.items() if model.get(name) not in neutral]:
        return f"its model sets {changed[0]} to {model[changed[0]]!r}, which pack does not know; give one without"
    return None


def _split_problem(split: Mapping[str, Any]) -> str | None:
    """Return why a pre-tokenizer is not one that cuts a text into bytes without loss, or None."""
    steps = split.get("pretokenizers", []) if split.get("type") == "Sequence" else [split]
    kinds = [step.get("type", "none") for step in steps] or ["none"]
    if kinds[-1] != "ByteLevel" or (wrong := [kind for kind in kinds[:-1] if kind not in _SPLITTERS]):
        return f"its pre-tokenizer is {wrong[0] if kinds[-1] == 'ByteLevel' else kinds[-1]}, and not of bytes alone"
    if steps[-1].get("add_prefix_space"):
        return "its pre-tokenizer has add_prefix_space, which changes the text"
    if any(step.get("behavior") == "Removed" for step in steps):
        return "its pre-tokenizer removes what it splits at"
    return None


def _types(part: Mapping[str, Any], inner: str) -> list[str]:
    return [step.get("type", "") for step in (part[inner] if part.get("type") == "Sequence" else [part])]


def _entries_problem(
    content: Mapping[str, Any], vocab: Mapping[str, int], pairs: Sequence[tuple[str, ...]]
) -> str | None:
    added = {token["content"]: token for token in content.get("added_tokens") or ()}
    for token in added.values():
        if not token.get("special") and (token.get("lstrip") or token.get("rstrip")):
            return (
                f"it adds {token['content']!r} as a token that swallows white space (lstrip, rstrip); give one without"
            )
    if problem := bytes_problem({token: number for token, number in vocab.items() if token not in added}, pairs):
        return problem
    letters = {*byte_letters()}
    if odd := next((token for token in vocab if token not in added and not {*token} <= letters), None):
        return f"its token {odd[:30]!r} is not spelled in bytes; give a byte-level BPE"
    return None


def _end_problem(content: Mapping[str, Any], separator: str | None) -> str | None:
    added = content.get("added_tokens") or ()
    special = [token["content"] for token in added if token.get("special")]
    offered = f"it has {', '.join(map(repr, special[:5]))}" if special else "it has no special token"
    if separator is None:
        return f"its directory names no eos_token to end documents with; name one by --separator ({offered})"
    if separator not in special:
        lacks = f"no special token {separator!r} to end documents with; name one by --separator ({offered})"
        return lacks + did_you_mean(separator, special)
    return None
