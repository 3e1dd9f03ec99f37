"""A byte-level BPE as Hugging Face's tokenizer.json: merges of bytes in, the file's text out, and back.

The file has GPT-2's form: 256 byte entries in the order of their printable stand-ins, one entry per merge,
and `<|endoftext|>` as the last id, the only special token. GPT-2 writes each byte as one printable letter
(bytes_to_unicode in openai/gpt-2's encoder.py): a printable Latin-1 byte as itself, the other 68 as U+0100
and up.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from corpus import storage
from corpus.errors import CorruptError
from corpus.storage.json_files import BadJsonError, parse_json, read_json
from tokenizer.arrays import MOST_SHORT
from tokenizer.config import END_OF_TEXT

TOKENIZER = "tokenizer.json"  # the file's name in every directory that holds one
TOKENIZER_CONFIG = "tokenizer_config.json"  # of transformers, beside it
Merge = tuple[bytes, bytes]


def byte_letters() -> list[str]:
    """Return the letter that stands for each byte, by byte value."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def token_ids(merges: Sequence[Merge]) -> dict[bytes, int]:
    """Return the id of every token's bytes: the bytes in the order of their letters, then the merges."""
    letters = byte_letters()
    tokens = [bytes([byte]) for byte in sorted(range(256), key=letters.__getitem__)]
    return {token: number for number, token in enumerate([*tokens, *(left + right for left, right in merges)])}


def tokenizer_json(merges: Sequence[Merge]) -> str:
    """Return the tokenizer.json of a list of merges; its vocabulary has 256 + len(merges) + 1 entries."""
    letters = byte_letters()
    pairs = [tuple("".join(letters[byte] for byte in side) for side in merge) for merge in merges]
    vocab = {"".join(letters[byte] for byte in token): number for token, number in token_ids(merges).items()}
    assert len(vocab) == 256 + len(merges), "a token was learned twice"
    vocab[END_OF_TEXT] = len(vocab)
    return json_of(vocab, pairs)


def json_of(vocab: Mapping[str, int], pairs: Sequence[tuple[str, ...]]) -> str:
    """Return the tokenizer.json of a vocabulary by token, `<|endoftext|>` the last, and its merges, all in letters."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(vocab[END_OF_TEXT])],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(vocab),
            "merges": pairs,
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def vocabulary(text: str, place: str) -> dict[str, int]:
    """Return the ids of a tokenizer.json of the `tokenizer` stage by token, `<|endoftext|>` the last of them.

    `place` is where the text is from. Raises CorruptError for what is no such file, before a library sees it.
    """
    remedy = "give the result of `corpuscle tokenizer`, or make it again"
    try:
        stated = parse_json(text.encode())
        ids: dict[str, int] = {**stated["model"]["vocab"]}
        special = [(token["id"], token["content"]) for token in stated["added_tokens"]]
        merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in stated["model"]["merges"]]
        whole = {*map(type, ids.values())} == {int} and sorted(ids.values()) == list(range(len(ids)))
        pairs = all(len(pair) == 2 and "".join(pair) in ids for pair in merges)
        if not whole or not pairs or special != [(len(ids) - 1, END_OF_TEXT)] or len(ids) > MOST_SHORT:
            raise BadJsonError("its vocabulary, merges or special tokens are not what the stage writes")
        if ids.get(END_OF_TEXT) != len(ids) - 1:
            raise BadJsonError(f"{END_OF_TEXT} is not its last token")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptError(f"{place}: not a tokenizer of ours ({error}); {remedy}") from error
    return ids


def token_lengths(text: str) -> list[int]:
    """Return how many bytes of text each id of a tokenizer.json stands for; a special token stands for none."""
    content = json.loads(text)
    lengths = {number: len(token) for token, number in content["model"]["vocab"].items()}
    lengths |= {
        token["id"]: 0 if token.get("special", True) else len(token["content"].encode())
        for token in content["added_tokens"]
    }
    assert sorted(lengths) == list(range(len(lengths))), "ids have no gaps"
    return [lengths[number] for number in range(len(lengths))]


def tokens_by_id(text: str) -> list[str]:
    """Return the tokens of a tokenizer.json in the order of their ids, spelled as there; special ones too."""
    content = json.loads(text)
    vocab = content["model"]["vocab"] | {token["content"]: token["id"] for token in content["added_tokens"]}
    return sorted(vocab, key=vocab.__getitem__)


def without_special(text: str) -> str:
    """Return a tokenizer.json that knows no special token, so that its spelling in a text is only text."""
    content = json.loads(text)
    content["added_tokens"] = []
    del content["model"]["vocab"][END_OF_TEXT]
    return json.dumps(content)


def stated_separator(path: str) -> str | None:
    """Return the `eos_token` that the files beside a tokenizer.json name, None when none does."""
    for name in (TOKENIZER_CONFIG, "special_tokens_map.json"):
        beside = storage.join(path.removesuffix(TOKENIZER), name)
        if storage.exists(beside):
            stated = read_json(beside, "give a directory with intact files")
            found = stated.get("eos_token") if isinstance(stated, dict) else None
            found = found.get("content") if isinstance(found, dict) else found
            if isinstance(found, str):
                return found
    return None


def transformers_files(separator: str = END_OF_TEXT) -> dict[str, str]:
    """Return the small files beside tokenizer.json from which `AutoTokenizer` loads the directory, by name."""
    tokens = dict.fromkeys(("bos_token", "eos_token", "pad_token"), separator)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        **tokens,
    }
    return {
        TOKENIZER_CONFIG: json.dumps(config, indent=1) + "\n",
        "special_tokens_map.json": json.dumps(tokens, indent=1) + "\n",
    }


def _special(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "content": END_OF_TEXT,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
