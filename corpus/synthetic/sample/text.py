"""Text generator: sentences, titles, abstracts and paragraphs about one topic, in the sample's own notation.

The notation is plain text with marks: `\\i{…}` and `\\b{…}` for type, `\\sup{…}`, `\\sub{…}`, `\\math{…}` for a
formula, `\\cite{3,4}`, `\\fig{1}` and `\\table{1}` for references inside an article. Marks do not nest. An author
draws a topic first (a disease, some genes, drugs, methods …) and comes back to it in most sentences, so a
document is about something, and two documents share few runs of five words.

Two text files beside this module hold lists of entries; `<name>` in an entry stands for an entry of
another list. Words stand most frequent first and are drawn with Zipf weights, so that the text has the
word-frequency curve of real text, with a long tail of coined gene and drug names; sentences are drawn
evenly. All lists were written for this sample: no text of PubMed or PMC is in them.
"""

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random

from corpus.synthetic.sample.model import SamplePart

MARK = re.compile(r"\\(\w+)\{([^{}]*)\}")

_TOPIC = {
    "disease": 2,
    "gene": 3,
    "drug": 3,
    "organism": 1,
    "tissue": 2,
    "cell": 2,
    "substance": 3,
    "method": 3,
    "process": 3,
    "outcome": 3,
    "population": 2,
    "animal": 1,
    "pathway": 1,
    "place": 1,
    "setting": 1,
    "design": 1,
    "treatment": 2,
}
_ON_TOPIC = 0.72
_REDRAWS = 5
_COINED = {"gene": 0.35, "drug": 0.3}
_WRONG_A = re.compile(r"\b([Aa]) (?=[aeiou])(?!uni|use|eu|one)")
_WRONG_AN = re.compile(r"\b([Aa])n (?=[^aeiouAEIOU\W])")

_STRUCTURES = (
    (("BACKGROUND", "BACKGROUND"), ("METHODS", "METHODS"), ("RESULTS", "RESULTS"), ("CONCLUSIONS", "CONCLUSIONS")),
    (("OBJECTIVE", "OBJECTIVE"), ("METHODS", "METHODS"), ("RESULTS", "RESULTS"), ("CONCLUSION", "CONCLUSIONS")),
    (
        ("BACKGROUND AND AIMS", "BACKGROUND"),
        ("STUDY DESIGN", "METHODS"),
        ("MAIN OUTCOME MEASURES", "RESULTS"),
        ("INTERPRETATION", "CONCLUSIONS"),
    ),
    (("Purpose", "OBJECTIVE"), ("", "UNASSIGNED"), ("Findings", "RESULTS"), ("Implications", "UNASSIGNED")),
)

SLOT = re.compile(r"<([a-z_0-9]+)>")

# Zipf's exponent is near 1 for English; the offset flattens the first ranks as in Mandelbrot's form.
_ZIPF_EXPONENT, _ZIPF_OFFSET = 0.9, 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WordList:
    """Entries of one list, each split into text and slot names in turn (slots at odd places)."""

    entries: tuple[tuple[str, ...], ...]
    weights: tuple[int, ...]  # cumulative, for random.choices; whole numbers, alike on every machine


@cache
def grammar() -> Mapping[str, WordList]:
    """Return all lists by name."""
    words = {name: _word_list(lines, zipf=True) for name, lines in _read("lexicon.txt").items()}
    sentences = {name: _word_list(lines, zipf=False) for name, lines in _read("sentences.txt").items()}
    assert not words.keys() & sentences.keys()
    return {**words, **sentences}


def _read(name: str) -> dict[str, list[str]]:
    """Read a file of [list] heads with entries below them, one a line or between bars."""
    lists: dict[str, list[str]] = {}
    current: list[str] = []
    for line in resources.files("corpus.synthetic.sample").joinpath(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = lists.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            current += [entry.strip() for entry in line.split(" | ")]
    return lists


def _word_list(entries: list[str], *, zipf: bool) -> WordList:
    weights = [round(1e6 * (rank + _ZIPF_OFFSET) ** -_ZIPF_EXPONENT) if zipf else 1 for rank in range(len(entries))]
    return WordList(
        entries=tuple(tuple(SLOT.split(entry)) for entry in entries),
        weights=tuple(itertools.accumulate(weights)),
    )


def plain(text: str) -> str:
    """Return a text without its marks: what a reader sees, with superscripts on the line."""
    return MARK.sub(lambda match: match[2], text)


def shingles(text: str) -> set[tuple[str, ...]]:
    """Return the set of word 5-grams of a plain text, words lower-cased."""
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[start:] for start in range(5)), strict=False))


def jaccard(first: str, second: str) -> float:
    """Return the exact Jaccard similarity of the word 5-grams of two plain texts; 1 when both have none."""
    one, other = shingles(first), shingles(second)
    union = len(one | other)
    return len(one & other) / union if union else 1.0


class Author:
    """Writes about one topic; the same seed and calls give the same text."""

    def __init__(self, rng: Random, *, references: int = 0, figures: int = 0, tables: int = 0) -> None:
        self.rng = rng
        self._counts = {"cite": references, "fig": figures, "table": tables}
        self._topic: dict[str, list[str]] = {}
        self._decks: dict[str, list[tuple[str, ...]]] = {}
        self._topic = {name: list(self.distinct(name, count)) for name, count in _TOPIC.items()}

    def draw(self, name: str) -> str:
        """Return one entry of a list with its slots filled."""
        if name in _NUMBERS:
            return _NUMBERS[name](self.rng)
        if name in _REFERENCES:
            return self._reference(_REFERENCES[name])
        if name in self._topic and self.rng.random() < _ON_TOPIC:
            return self.rng.choice(self._topic[name])
        if name in _COINED and self.rng.random() < _COINED[name]:
            return self._coin(name)
        words = grammar()[name]
        pieces = self.rng.choices(words.entries, cum_weights=words.weights)[0]
        text = self._fill(pieces)
        return f"\\i{{{text}}}" if name == "organism" else text

    def sentence(self, name: str) -> str:
        """Return a sentence of one list, begun with a capital letter."""
        return _tidy(self.draw(name))

    def sentences(self, name: str, count: int) -> str:
        """Return several sentences of one list; none comes again before all of the list have come."""
        deck = self._decks.setdefault(name, [])
        texts = []
        for _ in range(count):
            if not deck:
                deck += self.rng.sample(grammar()[name].entries, len(grammar()[name].entries))
            texts.append(_tidy(self._fill(deck.pop())))
        return " ".join(texts)

    def title(self) -> str:
        """Return a title without a full stop."""
        return self.sentence("title")

    def abstract(self, *, structured: bool) -> tuple[SamplePart, ...]:
        """Return an abstract of one part, or of four labelled parts."""
        lengths = (self.rng.randint(1, 2), self.rng.randint(2, 4), self.rng.randint(3, 6), self.rng.randint(1, 2))
        if structured:
            structure = self.rng.choice(_STRUCTURES)
            lists = ("background", "methods", "results", "conclusions")
            return tuple(
                SamplePart(label=label, category=category, text=self.sentences(name, count))
                for (label, category), name, count in zip(structure, lists, lengths, strict=True)
            )
        pieces = [self.sentences("background", lengths[0]), self.sentence("objective")]
        pieces += [self.sentences("methods", lengths[1]), self.sentences("results", lengths[2])]
        return (SamplePart(text=" ".join([*pieces, self.sentences("conclusions", lengths[3])])),)

    def names(self, count: int) -> tuple[tuple[str, str], ...]:
        """Return surnames and forenames."""
        return tuple((self.draw("surname"), self.draw("forename")) for _ in range(count))

    def distinct(self, name: str, count: int) -> tuple[str, ...]:
        """Return up to `count` different entries of a list."""
        return tuple(dict.fromkeys(self.draw(name) for _ in range(count)))

    def _fill(self, pieces: tuple[str, ...]) -> str:
        """Return an entry with its slots, the pieces at odd places, filled; a name does not come twice."""
        if len(pieces) == 1:
            return pieces[0]
        texts = list(pieces)
        for place in range(1, len(pieces), 2):
            text = self.draw(pieces[place])
            for _ in range(_REDRAWS):
                if text not in texts:
                    break
                text = self.draw(pieces[place])
            texts[place] = text
        return "".join(texts)

    def _coin(self, name: str) -> str:
        """Return a gene or drug name that no list holds: the long tail of biomedical vocabulary."""
        if name == "gene":
            return f"{self.draw('gene_stem')}{self.rng.randint(1, 99)}{self.rng.choice(('', '', 'A', 'B', 'L1'))}"
        return self.draw("drug_head") + self.draw("drug_tail")

    def _reference(self, kind: str) -> str:
        """Return a reference to something of the article at hand."""
        count = self._counts[kind]
        if kind == "cite":
            first = self.rng.randint(1, max(1, count - 2))
            return f"\\cite{{{','.join(str(first + step) for step in range(self.rng.choice((1, 1, 2, 3))))}}}"
        word = "Figure" if kind == "fig" else "Table"
        return f"{word} \\{kind}{{{self.rng.randint(1, max(1, count))}}}"


def _tidy(sentence: str) -> str:
    """Return a sentence with its articles and its first letter put right."""
    sentence = _WRONG_AN.sub(r"\1 ", _WRONG_A.sub(r"\1n ", sentence))
    return sentence[0].upper() + sentence[1:] if sentence[0].isascii() else sentence


def _tenths(rng: Random, low: int, high: int) -> str:
    """Return a number with one decimal; the bounds are in tenths."""
    value = rng.randint(low, high)
    return f"{value // 10}.{value % 10}"


def _estimate(rng: Random) -> str:
    """Return a ratio within its confidence interval."""
    low = rng.randint(20, 190)
    value = low + rng.randint(8, 70)
    ends = (f"{number // 100}.{number % 100:02d}" for number in (value, low, value + rng.randint(9, 90)))
    middle, lower, upper = ends
    return f"{middle}; 95% CI, {lower} to {upper}"


def _period(rng: Random) -> str:
    first = rng.randint(1984, 2018)
    return f"{first} and {first + rng.randint(1, 7)}"


_REFERENCES = {"cite": "cite", "figref": "fig", "tabref": "table"}

_NUMBERS: Mapping[str, Callable[[Random], str]] = {
    "n": lambda rng: str(rng.randint(21, rng.choice((60, 200, 999, 4800)))),
    "n2": lambda rng: str(rng.randint(3, rng.choice((12, 30, 90)))),
    "pct": lambda rng: rng.choice((f"{rng.randint(2, 97)}%", f"{_tenths(rng, 5, 980)}%")),
    "p": lambda rng: rng.choice(("< 0.001", "< 0.05", "< 0.01", f"= 0.0{rng.randint(10, 49)}")),
    "pvalue": lambda rng: f"0.{rng.randint(6, 97):02d}",
    "dose": lambda rng: (
        f"{rng.choice((0.5, 1, 2, 5, 10, 20, 25, 50, 100, 250))} {rng.choice(('mg', 'mg/kg', 'μg/kg'))}"
    ),
    "conc": lambda rng: (
        f"{rng.choice((0.1, 1, 2.5, 5, 10, 50, 100))} {rng.choice(('μM', 'nM', 'mM', 'ng/mL', 'μg/mL'))}"
    ),
    "estimate": _estimate,
    "period": _period,
    "year": lambda rng: str(rng.randint(1982, 2024)),
    "months": lambda rng: str(rng.choice((3, 6, 9, 12, 18, 24, 36, 60))),
    "hours": lambda rng: str(rng.choice((2, 4, 6, 8, 24, 48, 72, 96))),
    "ratio": lambda rng: f"{rng.randint(0, 3)}.{rng.randint(11, 98)}",
    "mean": lambda rng: _tenths(rng, 8, 1900),
    "sd": lambda rng: _tenths(rng, 2, 190),
    "corr": lambda rng: f"0.{rng.randint(21, 94)}",
    "temp": lambda rng: f"{rng.choice((4, 18, 25, 30, 37, 42, 55, 72))} °C",
    "age": lambda rng: str(rng.randint(16, 84)),
    "exponent": lambda rng: str(rng.randint(2, 9)),
    "unit": lambda rng: rng.choice(
        ("mg/dL", "ng/mL", "μmol/L", "pg/mL", "U/L", "mmol/L", "nmol min\\sup{−1} mg\\sup{−1}")
    ),
}
