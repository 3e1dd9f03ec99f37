"""Tokenizers that `pack` takes: a result of the stage `tokenizer`, or a tokenizer.json that somebody else made.

In: a directory, or a file of Hugging Face's `tokenizers` with a byte-level BPE. Out: its text, and the token that
separates documents. No other special token is kept special: its spelling in a text is text. A file in GPT-2's form
(its split of words, at most 65,536 entries) becomes the same BPE in the form of `tokenizer.hf_json`: the separator is
spelled `<|endoftext|>` and has the last id, so GPT-2's own file keeps every id, and where the separator stands
elsewhere, the ids behind it move down by one. Any other byte-level BPE stays the file that it is, and keeps its ids
(`tokenizer.kept`); so does that of a directory of Hugging Face, whose `eos_token` is the separator. What gives other
ids than `tokenizers`, or another text back, is refused by name.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tokenizers

from corpus import storage
from corpus.errors import CorruptError, RetryError, UsageError, did_you_mean
from corpus.stage.manifest import Input, has_manifest
from corpus.storage.json_files import parse_json
from tokenizer.arrays import MOST_SHORT
from tokenizer.config import END_OF_TEXT
from tokenizer.encode import Encoder, TextEncoder, read_tokenizer
from tokenizer.hf_json import TOKENIZER, byte_letters, json_of, stated_separator, vocabulary
from tokenizer.kept import bytes_problem, kept_problem
from tokenizer.kept_encode import PROBES, KeptEncoder

GIVEN, SEPARATOR = "tokenizer_file", "separator"  # names of inputs in the manifest of `pack`
_PLAIN = {  # settings of the model that change ids, and what leaves them as they are
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
    """Tokenizer.json that `pack` encodes with."""

    text: str  # as `tokenizer.hf_json` writes it, or as the file has it where `kept`
    sha256: str  # of the file's bytes
    vocab_size: int  # the separator included
    separator: str  # as the file spells it
    end_of_text: int  # its id
    kept: bool = False  # the file's own ids, whatever its split and size

    def encoder(self, place: str) -> TextEncoder:
        """Return its encoder; place: where it is from."""
        return (
            KeptEncoder(self.text, separator=self.separator, place=place)
            if self.kept
            else Encoder(self.text, place=place)
        )


def is_given(tokenizer: str) -> bool:
    """Say whether a tokenizer is a file, or a directory of Hugging Face's, and not that of a finished stage."""
    return is_file(tokenizer) or (not has_manifest(tokenizer) and storage.exists(storage.join(tokenizer, TOKENIZER)))


def is_file(tokenizer: str) -> bool:
    """Say whether a tokenizer is given as a file."""
    return tokenizer.endswith(".json")


def read_given(path: str, separator: str | None = None) -> GivenTokenizer:
    """Return a tokenizer.json, of a directory or alone; `separator` is its `eos_token`, or `<|endoftext|>`, by default.

    Raises UsageError, which names what is wrong, for a file that is missing, is no byte-level BPE, has no such
    separator, or that `tokenizers` reads in another way.
    """
    file = path if is_file(path) else storage.join(path, TOKENIZER)
    if not storage.exists(file):
        raise UsageError(f"{path}: no such file; give a tokenizer.json, or the directory of `corpuscle tokenizer`")
    with storage.open_read(file) as source:
        raw = source.read()
    wanted = separator or (END_OF_TEXT if is_file(path) else stated_separator(file))
    try:
        content = parse_json(raw)
        vocab, pairs = _vocabulary(content), _merges(content)
        ours = _is_gpt2s(content, vocab) and (is_file(path) or _keeps_ids(vocab, wanted))
        if ours:
            assert wanted is not None, "a directory without a separator keeps its ids"
            problem = bytes_problem(vocab, pairs) or _separator_problem(wanted, vocab, pairs)
        else:
            problem = kept_problem(content, vocab, pairs, wanted)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"no tokenizer.json of Hugging Face's `tokenizers` ({type(error).__name__}: {error}); give another"
    if problem or wanted is None:
        raise UsageError(f"{path}: {problem}")
    given = _own_form(raw, vocab, pairs, wanted) if ours else _as_it_is(raw, vocab, wanted)
    (_check_alike if ours else _check_kept)(raw.decode(), given, vocab[wanted], path)
    return given


def _own_form(raw: bytes, vocab: Mapping[str, int], pairs: Sequence[tuple[str, ...]], separator: str) -> GivenTokenizer:
    ordered = sorted((token for token in vocab if token != separator), key=vocab.__getitem__)
    ids = {token: number for number, token in enumerate([*ordered, END_OF_TEXT])}
    return GivenTokenizer(
        text=json_of(ids, pairs),
        sha256=hashlib.sha256(raw).hexdigest(),
        vocab_size=len(ids),
        separator=separator,
        end_of_text=len(ids) - 1,
    )


def _as_it_is(raw: bytes, vocab: Mapping[str, int], separator: str) -> GivenTokenizer:
    return GivenTokenizer(
        text=raw.decode(),
        sha256=hashlib.sha256(raw).hexdigest(),
        vocab_size=len(vocab),
        separator=separator,
        end_of_text=vocab[separator],
        kept=True,
    )


def given_inputs(given: GivenTokenizer) -> tuple[Input, ...]:
    """Return what the manifest of `pack` says of it; a directory may name another separator with the same file."""
    file = Input(name=GIVEN, fingerprint=given.sha256)
    spelled = hashlib.sha256(given.separator.encode()).hexdigest()
    return (file, Input(name=SEPARATOR, fingerprint=spelled)) if given.kept else (file,)


def pack_tokenizer(tokenizer: str, separator: str | None, inputs: Sequence[Input]) -> GivenTokenizer:
    """Return the tokenizer that a run of `pack` encodes with; `inputs` are those it was planned with.

    Raises RetryError when the file is another one than at the start.
    """
    if not is_given(tokenizer):
        text = read_tokenizer(tokenizer)
        size = len(vocabulary(text, tokenizer))
        return GivenTokenizer(
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            vocab_size=size,
            separator=END_OF_TEXT,
            end_of_text=size - 1,
        )
    given = read_given(tokenizer, separator)
    if not {*given_inputs(given)} <= {*inputs}:
        raise RetryError(f"{tokenizer}: changed since this run began; nothing was committed, run the command again")
    return given


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


def _is_gpt2s(content: Mapping[str, Any], vocab: Mapping[str, int]) -> bool:
    """Say whether a file has GPT-2's form: BPE with its split and nothing else that changes ids, of two bytes each."""
    model, split = content["model"], content.get("pre_tokenizer") or {}
    return (
        model.get("type", "BPE" if "merges" in model else "unknown") == "BPE"
        and len(vocab) <= MOST_SHORT
        and (split.get("type"), split.get("add_prefix_space"), split.get("use_regex", True))
        == ("ByteLevel", False, True)
        and content.get("normalizer") is None
        and all(model.get(name) in plain for name, plain in _PLAIN.items())
        and all(token.get("special") for token in content.get("added_tokens") or ())
    )


def _keeps_ids(vocab: Mapping[str, int], separator: str | None) -> bool:
    """Say whether the form of ours leaves all ids of a file as they are."""
    return separator == END_OF_TEXT and vocab.get(END_OF_TEXT) == len(vocab) - 1


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


def _check_kept(raw: str, given: GivenTokenizer, separator: int, path: str) -> None:
    """Raise UsageError unless odd texts come back from their ids, and the spelled separator does not end a document."""
    try:
        encoder = KeptEncoder(raw, separator=given.separator, place=path)
        encoder.check([*PROBES, *_added_plain(raw)])
    except CorruptError as error:
        raise UsageError(str(error)) from error
    spelled = given.separator
    if separator in encoder.encode([f"{spelled}a {spelled} a", spelled])[0].tolist():
        raise UsageError(
            f"{path}: a text that spells {spelled!r} gives its id, so that it cannot end documents; name "
            "another --separator"
        )


def _added_plain(raw: str) -> list[str]:
    """Return the tokens that a file adds and that are not special, each amid a text."""
    added = parse_json(raw.encode()).get("added_tokens") or ()
    return [f"a {token['content']} b{token['content']}" for token in added if not token.get("special")]


def _check_alike(raw: str, given: GivenTokenizer, separator: int, path: str) -> None:
    """Raise UsageError unless `tokenizers` with the file as given and our encoder give the same ids of odd texts."""
    try:
        oracle = tokenizers.Tokenizer.from_str(raw)
    except Exception as error:  # whatever the library says of a file that it cannot read
        raise UsageError(f"{path}: `tokenizers` cannot read it ({error}); give another tokenizer.json") from error
    oracle.no_truncation()
    oracle.no_padding()
    oracle.encode_special_tokens = True
    encoder = Encoder(given.text, place=path)
    encoder.check(_PROBES)
    for probe in _PROBES:
        ids = oracle.encode(probe, add_special_tokens=False).ids
        if [number - (number > separator) for number in ids] != encoder.encode([probe])[0].tolist():
            raise UsageError(f"{path}: `tokenizers` encodes {probe[:20]!r} otherwise than by its merges; give another")
