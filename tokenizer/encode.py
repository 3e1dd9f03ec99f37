"""Encoder and decoder of a byte-level BPE: texts to token ids and back.

In: a tokenizer.json as the `tokenizer` stage wrote it. Out: flat uint16 ids and the length of each text. `gigatoken`
does the work, and `tokenizers` is the oracle that it is compared with. Corpus text is not trusted: the letters
`<|endoftext|>` inside a text are encoded as text, never as the special id. gigatoken remembers every distinct word it
meets (206 MB after 0.5 million words, 344 MB after 3 million, measured), so the encoder starts afresh after
RENEW_BYTES of text.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import gigatoken
import numpy as np
import numpy.typing as npt
import tokenizers

from corpus import storage
from corpus.errors import CorruptError
from corpus.stage.manifest import read_manifest
from tokenizer.arrays import TokenCounts, TokenIds
from tokenizer.hf_json import TOKENIZER, stated_separator, vocabulary, without_special
from tokenizer.kept_encode import KeptEncoder, encoded

RENEW_BYTES = 2 << 30


class TextEncoder(Protocol):
    """Encoder and decoder of one tokenizer.json; `eot` is the id of the token that ends documents."""

    vocab_size: int
    eot: int

    def encode(self, texts: Sequence[str]) -> tuple[TokenIds, TokenCounts]:
        """Return the ids of all texts behind one another, and each text's number of ids; no special ids."""

    def decode(self, ids: npt.ArrayLike) -> str:
        """Return the text of ids; bytes that are no UTF-8, as a cut can leave, become U+FFFD."""

    def check(self, texts: Sequence[str]) -> None:
        """Encode texts with `tokenizers` too and decode them again; raises CorruptError at any difference."""


class Encoder:
    """Encoder and decoder of one tokenizer.json; `eot` is the id of `<|endoftext|>`, always the last."""

    def __init__(
        self, text: str, *, place: str = TOKENIZER, parallel: bool = False, renew_bytes: int = RENEW_BYTES
    ) -> None:
        """Take the text of a tokenizer.json, which is from `place`; `parallel` lets one call use all cores."""
        self.vocab_size = len(vocabulary(text, place))
        self.eot = self.vocab_size - 1
        self._text, self._plain_text = text, without_special(text)
        self._parallel, self._renew_bytes = parallel, renew_bytes
        try:
            self._decoder = gigatoken.Tokenizer.from_json(text)
        except Exception as error:  # whatever the library says of a file that is nearly one of ours
            raise CorruptError(f"{place}: not a tokenizer of ours ({error}); make it again") from error
        self._oracle: Any = None
        self._renew()

    @classmethod
    def load(cls, directory: str, *, parallel: bool = False) -> TextEncoder:
        """Load from the directory of a finished `tokenizer` or `pack` stage, checking the file's hash.

        What `pack` was given and left as it is (`tokenizer.kept`) is read by its own encoder.

        Raises UsageError when no stage is finished there, CorruptError when the file was changed.
        """
        text = read_tokenizer(directory)
        if separator := read_manifest(directory).summary.get("separator"):
            return KeptEncoder(text, separator=separator, place=directory)
        return cls(text, place=directory, parallel=parallel)

    def encode(self, texts: Sequence[str]) -> tuple[TokenIds, TokenCounts]:
        """Return the ids of all texts behind one another, and each text's number of ids; no special ids."""
        if not texts:
            return np.empty(0, np.uint16), np.empty(0, np.int64)
        if self._seen > self._renew_bytes:
            self._renew()
        self._seen += sum(map(len, texts))
        return encoded(self._tokenizer, texts, np.dtype(np.uint16), parallel=self._parallel)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Return the text of ids; bytes that are no UTF-8, as a cut can leave, become U+FFFD."""
        return bytes(self._decoder.decode(np.asarray(ids, dtype=np.uint32))).decode(errors="replace")

    def check(self, texts: Sequence[str]) -> None:
        """Encode texts with `tokenizers` too and decode them again; raises CorruptError at any difference."""
        if not texts:
            return
        if self._oracle is None:
            self._oracle = tokenizers.Tokenizer.from_str(self._text)
            self._oracle.encode_special_tokens = True  # special tokens in a text are text
        ids, lengths = self.encode(texts)
        expected = self._oracle.encode_batch(list(texts), add_special_tokens=False)
        for text, own, oracle in zip(texts, np.split(ids, np.cumsum(lengths)[:-1]), expected, strict=True):
            if own.tolist() != oracle.ids or self.decode(own) != text:
                raise CorruptError(
                    f"gigatoken and tokenizers disagree on a text that starts with {text[:80]!r}: "
                    f"{len(own)} and {len(oracle.ids)} ids; nothing was committed. "
                    "Install the versions of constraints.txt, and report this text if it happens again"
                )

    def _renew(self) -> None:
        self._tokenizer = gigatoken.Tokenizer.from_json(self._plain_text)
        self._seen = 0


def open_encoder(path: str) -> TextEncoder:
    """Return the encoder of a tokenizer.json: one of ours, or another with the files that `pack` writes beside it."""
    text = decoded(path)
    try:
        return Encoder(text, place=path)
    except CorruptError:
        if (separator := stated_separator(path)) is None:
            raise
        return KeptEncoder(text, separator=separator, place=path)


def read_tokenizer(directory: str) -> str:
    """Return the text of a finished stage's tokenizer.json after checking it against the manifest."""
    manifest = read_manifest(directory)
    parts = [part for part in manifest.parts if part.role == "tokenizer"]
    if len(parts) != 1:
        raise CorruptError(f"{directory}: its `{manifest.stage}` manifest lists no {TOKENIZER}; check the path")
    path = storage.join(directory, parts[0].path)
    if not storage.exists(path) or storage.sha256_file(path) != parts[0].sha256:
        raise CorruptError(f"{path}: missing or changed since it was made; remove {directory} and make it again")
    return decoded(path)


def decoded(path: str) -> str:
    """Return the text of a file; raises CorruptError when it is not UTF-8."""
    with storage.open_read(path) as source:
        raw = source.read()
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CorruptError(f"{path}: not UTF-8 ({error}); make it again") from error
