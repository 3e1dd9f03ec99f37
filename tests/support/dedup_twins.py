"""Twins for the dedup tests: the written set (`tests/data/hard_twins.yaml`), and twins made from real abstracts.

A made twin is a real abstract in which one word is another everywhere it stands: that of another species, sex or
direction (`swapped`), or any content word by any other (`exchanged`), which no list can foresee.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

FILE = Path(__file__).parents[1] / "data" / "hard_twins.yaml"
NOTICES = ("retraction notice", "comment")  # kept apart by how they begin (`corpus.dedup.notices`)
SWAPS = (
    ("rats", "mice"), ("rat", "mouse"), ("rabbits", "dogs"), ("men", "women"), ("male", "female"), ("left", "right"),
    ("increased", "decreased"), ("increase", "decrease"), ("higher", "lower"), ("liver", "kidney"),
    ("renal", "hepatic"),
    ("serum", "urine"), ("glucose", "galactose"), ("calcium", "sodium"), ("children", "adults"), ("acute", "chronic"),
)  # fmt: skip


def hard_twins() -> list[tuple[str, str, str]]:
    """Return (category, text, text of its twin) for every pair of the written set."""
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [
        (entry["category"], *(_filled(content["frames"][frame], value) for value in pair))
        for entry in content["twins"]
        for frame in entry["frames"]
        for pair in entry["pairs"]
    ]


def _filled(frame: str, value: str) -> str:
    title, _, text = frame.replace("{x}", value).strip().partition("\n")
    return f"{title}\n\n{text}"


def swapped(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (text, twin) for every text that holds a word of `SWAPS` and not its partner."""
    for text in texts:
        for one, other in SWAPS:
            if re.search(rf"\b{one}\b", text) and not re.search(rf"\b{other}\b", text):
                yield text, re.sub(rf"\b{one}\b", other, text)
                break


def exchanged(texts: Sequence[str], *, seed: int) -> Iterator[tuple[str, str, int]]:
    """Yield (text, twin, times the word stands in it): some word of seven letters or more by one of another text."""
    rng = random.Random(seed)
    words_of = [sorted(set(re.findall(r"\b[a-z]{7,}\b", text))) for text in texts]
    for text, words in zip(texts, words_of, strict=True):
        others = rng.choice(words_of)
        if words and others:
            one, other = rng.choice(words), rng.choice(others)
            if other not in text and text.lower().count(one) == len(re.findall(rf"\b{one}\b", text)):
                yield text, re.sub(rf"\b{one}\b", other, text), len(re.findall(rf"\b{one}\b", text))
