"""Encoder and decoder of a tokenizer.json that keeps its own ids: any byte-level BPE, with the file's own split.

`tokenizers` says what the ids are. `gigatoken` does the work where it gives the same on probes, when the file is
loaded; after that the first documents of each shard are compared, as with a tokenizer of ours (`tokenizer.encode`).
Special tokens spelled in a text are text. Tokens that a file adds and that are not special are what the file makes of
them.
"""

import json
from collections.abc import Sequence
from typing import Any

import gigatoken
import numpy as np
import numpy.typing as npt
import tokenizers

from corpus.errors import CorruptError
from tokenizer.arrays import TokenCounts, TokenIds, id_type
from tokenizer.hf_json import byte_letters

RENEW_BYTES = 2 << 30  # as `tokenizer.encode` says of gigatoken
PROBES = (
    "Patients with renal failure (n=25) didn't improve; p<0.05.\r\n\n  \tTNF-\u03b1 at 37\u00b0C ",
    "\x00\x85\u00a0 na\u00efve \u00e9 \u4e2d\u6587 \U0001f9ec \u00bd \u0663",
    "DON'T we'LL it\u2019s 1234567 3.14 1,000,000\n\n\nA\tB   C      D\u3000E \r\n  x",
    "IL-2/IL-10_mRNA +/-2\u00d710\u207b\u00b3 (Fig.1A,B);\u0301\u0308 \u0939\u093f\u0928\u094d\u0926\u0940",
    "\u0e44\u0e17\u0e22 https://x.org/?a=b&c",
)


class KeptEncoder:
    """Encoder and decoder of one tokenizer.json; `eot` is the id of the token that ends documents."""

    def __init__(self, text: str, *, separator: str, place: str, renew_bytes: int = RENEW_BYTES) -> None:
        """Take the text of a tokenizer.json, which is from `place`, and the spelling of its separator.

        Raises CorruptError for what `tokenizers` cannot read.
        """
        try:
            self._oracle = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # whatever the library says of a file that it cannot read
            raise CorruptError(
                f"{place}: `tokenizers` cannot read it ({error}); give another tokenizer.json"
            ) from error
        self._oracle.no_truncation()
        self._oracle.no_padding()
        self._oracle.encode_special_tokens = True
        self._bytes, self._plain_text = _bytes_of_ids(text), _without_added(text)
        self.vocab_size, self._type = len(self._bytes), id_type(len(self._bytes))
        end = self._oracle.token_to_id(separator)
        if end is None:
            raise CorruptError(f"{place}: has no token {separator!r}; run `corpuscle pack` into a new directory")
        self.eot = int(end)
        self._renew_bytes, self._seen = renew_bytes, 0
        self._fast = self._agreeing(text)

    def encode(self, texts: Sequence[str]) -> tuple[TokenIds, TokenCounts]:
        """Return the ids of all texts behind one another, and each text's number of ids; no special ids."""
        if not texts:
            return np.empty(0, self._type), np.empty(0, np.int64)
        if self._fast is None:
            # One by one: a batch of `tokenizers` keeps every token's spelling and place, a hundred bytes each.
            each = [np.array(self._truth(text), self._type) for text in texts]
            return np.concatenate(each), np.array([len(ids) for ids in each], np.int64)
        if self._seen > self._renew_bytes:
            self._fast, self._seen = gigatoken.Tokenizer.from_json(self._plain_text), 0
        self._seen += sum(map(len, texts))
        return encoded(self._fast, texts, self._type)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Return the text of ids, special tokens spelled; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self._bytes[number] for number in np.asarray(ids).tolist()).decode(errors="replace")

    def check(self, texts: Sequence[str]) -> None:
        """Encode texts with `tokenizers` too and decode them again; raises CorruptError at any difference.

        The text that comes back is the one that the file's normalizer, Unicode's NFC if any, makes of it.
        """
        ids, lengths = self.encode(texts)
        for text, own in zip(texts, np.split(ids, np.cumsum(lengths)[:-1]), strict=False):
            same, whole = own.tolist() == self._truth(text), self.decode(own) == self._normal(text)
            if not same or not whole:
                what = "does not come back from its ids" if same else "has other ids by gigatoken than by tokenizers"
                raise CorruptError(
                    f"a text that starts with {text[:80]!r} {what}; nothing was committed. "
                    "Install the versions of constraints.txt, and report this text if it happens again"
                )

    def _agreeing(self, text: str) -> Any:
        """Return gigatoken's tokenizer, None when it gives other ids, or the file adds tokens that are no merges."""
        added = json.loads(text).get("added_tokens") or ()
        if not all(token["special"] for token in added):
            return None
        probes = [*PROBES, *(f"a{token['content']} {token['content']}b" for token in added[:64])]
        try:
            fast = gigatoken.Tokenizer.from_json(self._plain_text)
            ids, lengths = encoded(fast, probes, self._type)
        except Exception:  # noqa: BLE001  whatever the library says of a file that it does not know: `tokenizers` does
            return None
        found = np.split(ids, np.cumsum(lengths)[:-1])
        same = all(own.tolist() == self._truth(probe) for own, probe in zip(found, probes, strict=True))
        return fast if same else None

    def _truth(self, text: str) -> list[int]:
        return list(self._oracle.encode(text, add_special_tokens=False).ids)

    def _normal(self, text: str) -> str:
        normalizer = self._oracle.normalizer
        return text if normalizer is None else str(normalizer.normalize_str(text))


def encoded(
    fast: Any, texts: Sequence[str], kind: np.dtype[Any], *, parallel: bool = False
) -> tuple[TokenIds, TokenCounts]:
    """Return the ids by gigatoken of all texts, at least one, behind one another, and each text's number of ids."""
    if not parallel:  # as fast as a batch of them, and without an import of 0.15 CPU s
        each = [fast.encode(text) for text in texts]
        return np.concatenate(each).astype(kind), np.fromiter(map(len, each), np.int64, len(each))
    import awkward

    batch = fast.encode_batch(list(texts), parallel=True)
    return np.asarray(awkward.flatten(batch)).astype(kind), np.asarray(awkward.num(batch)).astype(np.int64)


def _bytes_of_ids(text: str) -> list[bytes]:
    """Return the bytes that each id of a tokenizer.json stands for; an added token's are those of its spelling."""
    content = json.loads(text)
    values = {letter: byte for byte, letter in enumerate(byte_letters())}
    found = {token["id"]: token["content"].encode() for token in content["added_tokens"]}
    for token, number in content["model"]["vocab"].items():
        if number not in found:
            found[number] = bytes(values[letter] for letter in token)
    return [found[number] for number in range(len(found))]


def _without_added(text: str) -> str:
    """Return a tokenizer.json that adds no token to its merges, so that the spelling of one in a text is only text."""
    content = json.loads(text)
    for token in content["added_tokens"]:
        content["model"]["vocab"].pop(token["content"], None)
    content["added_tokens"] = []
    return json.dumps(content)
