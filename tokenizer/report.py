"""Report on a tokenizer: bytes per token and tokens per word of held-out text by source, and ten words split.

The words are those of BioMedLM's table 3 (arXiv 2403.18421), each one token in its vocabulary and several in
GPT-2's. The paper does not say whether a space stands before them, so both forms are shown. A word, as a
unit of "tokens per word", is what lies between white space.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from corpus.storage import parquet
from tokenizer.encode import TextEncoder

PAPER_WORDS = (
    "chromatography",
    "cytotoxicity",
    "ECG",
    "GATA",
    "Immunohistochemistry",
    "myocardium",
    "nanoparticles",
    "photosynthesis",
    "probiotic",
    "thrombin",
)
CHECK_BYTES = 2_000_000  # of each source, about a second of `tokenizers`
BATCH_ROWS = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Fertility:
    """Counts of documents, bytes, words and tokens of one source; adding two adds every count."""

    documents: int = 0  # encoded [documents]
    bytes: int = 0  # of text, in UTF-8 [bytes]
    words: int = 0  # pieces between white space [words]
    tokens: int = 0  # without <|endoftext|> [tokens]

    def __add__(self, other: "Fertility") -> "Fertility":
        return Fertility(
            documents=self.documents + other.documents,
            bytes=self.bytes + other.bytes,
            words=self.words + other.words,
            tokens=self.tokens + other.tokens,
        )

    @property
    def bytes_per_token(self) -> float:
        """Return UTF-8 bytes per token, 0 without tokens."""
        return round(self.bytes / self.tokens, 4) if self.tokens else 0.0

    @property
    def tokens_per_word(self) -> float:
        """Return tokens per word, 0 without words."""
        return round(self.tokens / self.words, 4) if self.words else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WordSplit:
    """Tokens of one word, at the start of a text and after a space."""

    word: str  # one of BioMedLM's table 3
    alone: tuple[str, ...]  # its tokens at the start of a text
    after_space: tuple[str, ...]  # its tokens behind a space


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Report on one tokenizer; `measured_on` is the split of the corpus that the fertility is of."""

    vocab_size: int  # entries there are [tokens]
    asked_vocab_size: int  # entries asked for [tokens]
    end_of_text: int  # id of <|endoftext|>
    training_documents: int  # learned from [documents]
    training_bytes: int  # of text learned from [bytes]
    measured_on: str  # split of the corpus that `fertility` is of
    checked_documents: int = 0  # encoded by `tokenizers` too, with equal ids [documents]
    fertility: dict[str, Fertility] = field(
        default_factory=dict
    )  # by source; in the file also bytes_per_token and tokens_per_word
    words: tuple[WordSplit, ...] = ()  # how BioMedLM's ten words are split


def measure(encoder: TextEncoder, shards: Sequence[str]) -> tuple[dict[str, Fertility], int]:
    """Return the fertility of shards' documents by source, and how many documents `tokenizers` confirmed.

    Raises CorruptError when gigatoken and tokenizers disagree on one of the first CHECK_BYTES of a source.
    """
    fertility: dict[str, Fertility] = {}
    checked = 0
    for shard in shards:
        for batch in parquet.iter_batches(shard, ["source", "text"], BATCH_ROWS):
            sources = np.array(batch.column("source").to_pylist(), dtype=object)
            texts = np.array(batch.column("text").to_pylist(), dtype=object)
            for source in sorted(set(sources)):
                own = texts[sources == source].tolist()
                before = fertility.get(source, Fertility())
                checked += _check(encoder, own, CHECK_BYTES - before.bytes)
                fertility[source] = before + _fertility(encoder, own)
    return dict(sorted(fertility.items())), checked


def split_words(encoder: TextEncoder) -> tuple[WordSplit, ...]:
    """Return the tokens of each of the paper's words."""
    alone, after_space = (_pieces(encoder, [before + word for word in PAPER_WORDS]) for before in ("", " "))
    splits = zip(PAPER_WORDS, alone, after_space, strict=True)
    return tuple(WordSplit(word=word, alone=one, after_space=other) for word, one, other in splits)


def as_json(report: Report) -> str:
    """Return the report as JSON."""
    content = asdict(report)
    for source, numbers in report.fertility.items():
        rates = {"bytes_per_token": numbers.bytes_per_token, "tokens_per_word": numbers.tokens_per_word}
        content["fertility"][source] |= rates
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def as_markdown(report: Report) -> str:
    """Return the report as Markdown."""
    missing = report.asked_vocab_size - report.vocab_size
    lines = [
        "# Tokenizer",
        "",
        f"{report.vocab_size:,} entries: 256 bytes, {report.vocab_size - 257:,} merges and `<|endoftext|>` "
        f"(id {report.end_of_text}); learned from {report.training_documents:,} documents, "
        f"{report.training_bytes:,} bytes of text.",
        *([f"{missing:,} entries fewer than asked for: the text holds no more frequent pairs."] if missing else []),
        f"gigatoken and `tokenizers` gave equal ids on the {report.checked_documents:,} documents compared.",
        "",
        f"| {report.measured_on} text | documents | bytes | words | tokens | bytes/token | tokens/word |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {source} | {each.documents:,} | {each.bytes:,} | {each.words:,} | {each.tokens:,} "
            f"| {each.bytes_per_token:.3f} | {each.tokens_per_word:.3f} |"
            for source, each in report.fertility.items()
        ),
        "",
        "| word of the paper | alone | after a space |",
        "|---|---|---|",
        *(f"| {each.word} | {_shown(each.alone)} | {_shown(each.after_space)} |" for each in report.words),
    ]
    return "\n".join(lines) + "\n"


def _fertility(encoder: TextEncoder, texts: list[str]) -> Fertility:
    ids, _ = encoder.encode(texts)
    return Fertility(
        documents=len(texts),
        bytes=sum(len(text.encode()) for text in texts),
        words=sum(len(text.split()) for text in texts),
        tokens=len(ids),
    )


def _check(encoder: TextEncoder, texts: list[str], max_bytes: int) -> int:
    """Check the texts that start within the bytes left; returns how many."""
    chosen = []
    for text in texts:
        if max_bytes <= 0:
            break
        chosen.append(text)
        max_bytes -= len(text.encode())
    encoder.check(chosen)
    return len(chosen)


def _pieces(encoder: TextEncoder, texts: list[str]) -> list[tuple[str, ...]]:
    ids, lengths = encoder.encode(texts)
    of_text = np.split(ids, np.cumsum(lengths)[:-1])
    return [tuple(encoder.decode([number]) for number in own) for own in of_text]


def _shown(pieces: tuple[str, ...]) -> str:
    return f"{len(pieces)}: " + " · ".join(f"`{piece.replace(' ', '␣')}`" for piece in pieces)
