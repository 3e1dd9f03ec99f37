"""Formulas of real articles, read by us and read independently: `python -m tests.benchmarks.formulas`.

Three readings of what the articles below a folder hold are compared, each written on a line by `corpus`'s own writer so
that only what was read can differ:

- *MathML, by pandoc*: texmath reads the MathML and gives TeX, which our reader of TeX reads, beside our reading of the
  MathML;
- *TeX, by pandoc*: texmath reads the TeX and gives MathML, beside our reading of the TeX;
- *two forms of a publisher*: where `alternatives` hold both, our reading of one beside our reading of the other.

Equal means: the same letters, digits, signs and scripts in the same order; spaces, brackets, and which of several
characters stands for a sign are notation (`plain_form`). `--list` prints all that differ. pandoc is found as
`tests.benchmarks.peers_pandoc` says.
"""

import argparse
import html
import json
import re
import subprocess
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from corpus.ncbi.markup.document import Vocabulary, scan
from corpus.ncbi.markup.formulas import MATHML, linear_math, linear_tex, tex_source
from tests.benchmarks.peers_pandoc import find_pandoc, version
from tests.support.real_articles import articles, plain

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_WORDS = Vocabulary(MATHML, detailed=["math"])
_BESIDE = re.compile(r'<annotation.*?</annotation>|\sxmlns="[^"]*"', re.DOTALL)
_NOTATION = re.compile(r"[\s()\[\]{}.,;|‖_^\u2061-\u2064\ufe00-\ufe0f]|choose")
_SAME = str.maketrans("−–⋅·∙•∗⋆∣ϵϕ∥〉〈∕⁄ˆ˜⩽⩾⌀˙ℓ’∆∑∏µ∼Ο▫", "--....**|εφ‖⟩⟨//^~≤≥∅.l′ΔΣΠμ~O□")


@dataclass(frozen=True, kw_only=True, slots=True)
class Formula:
    """One formula of an article: its MathML and its TeX, "" for a form that it does not have."""

    article: str
    mathml: str
    tex: str


def formulas_of(data: Path, step: int) -> Iterator[Formula]:
    """Yield the formulas of every `step`-th article."""
    for index, (name, raw) in enumerate(articles(data)):
        if index % step or not (b"math" in raw or raw[:2] == b"\x1f\x8b"):
            continue
        root = etree.fromstring(plain(raw), etree.XMLParser(remove_comments=True, remove_pis=True, huge_tree=True))
        for element in root.iter(f"{{{NAMESPACE}}}math", "{*}tex-math"):
            parent = element.getparent()
            paired = parent is not None and etree.QName(parent).localname == "alternatives"
            forms = list(parent) if paired and parent is not None else [element]
            if paired and element is not next(form for form in forms if etree.QName(form).localname.endswith("math")):
                continue
            mathml = next((form for form in forms if etree.QName(form).localname == "math"), None)
            tex = next((form for form in forms if etree.QName(form).localname == "tex-math"), None)
            yield Formula(
                article=name.partition(".")[0],
                mathml="" if mathml is None else _bare(mathml),
                tex="" if tex is None else "".join(map(str, tex.itertext())),
            )


def _bare(math: etree._Element) -> str:
    text = etree.tostring(math, with_tail=False, encoding="unicode")
    return re.sub(r'(</?)\w+:|\sxmlns(?::\w+)?="[^"]*"', r"\1", text)


def read_math(mathml: str) -> str:
    """Return our line of a piece of MathML without prefixes."""
    found = scan(mathml.encode(), _WORDS)
    return "" if found is None or not found.tags else linear_math(found, 0)


def plain_form(line: str) -> str:
    """Return a line without notation: what two readers have to agree on."""
    decomposed = unicodedata.normalize("NFKD", line.replace("[Formula: see text]", ""))
    return _NOTATION.sub("", decomposed.translate(_SAME)).casefold()


def pandoc_tex(pandoc: str, mathml: Sequence[str]) -> list[str]:
    """Return the TeX that texmath makes of formulas, in one run; "" where it makes none."""
    page = "".join(f"<p>{math}</p>" for math in mathml)
    return [_first_math(block) for block in _blocks(pandoc, ["-f", "html"], page)]


def pandoc_mathml(pandoc: str, tex: Sequence[str]) -> list[str]:
    """Return the MathML that texmath makes of formulas in TeX, in one run; "" where it makes none."""
    blocks = [{"t": "Para", "c": [{"t": "Math", "c": [{"t": "DisplayMath"}, source]}]} for source in tex]
    document = json.dumps({"pandoc-api-version": [1, 23], "meta": {}, "blocks": blocks})
    command = [pandoc, "-f", "json", "-t", "html", "--mathml", "--wrap=none"]
    page = subprocess.run(command, input=document, capture_output=True, text=True, check=True).stdout
    found = [re.search(r"<math.*?</math>", block, re.DOTALL) for block in page.split("<p>")[1:]]
    return [
        re.sub(r"<annotation.*?</annotation>|\sxmlns=\"[^\"]*\"", "", one[0], flags=re.DOTALL) if one else ""
        for one in found
    ]


def _blocks(pandoc: str, options: list[str], text: str) -> list[Any]:
    done = subprocess.run([pandoc, *options, "-t", "json"], input=text, capture_output=True, text=True, check=True)
    blocks: list[Any] = json.loads(done.stdout)["blocks"]
    return blocks


def _first_math(block: Any) -> str:
    inlines = block["c"] if block["t"] in ("Para", "Plain") else []
    return next((str(item["c"][1]) for item in inlines if item["t"] == "Math"), "")


def compare(name: str, pairs: Sequence[tuple[Formula, str, str]], *, listed: bool) -> None:
    """Print how many pairs of lines agree, and those that do not."""
    read = [(one, ours, other) for one, ours, other in pairs if other]
    wrong = [(one, ours, other) for one, ours, other in read if plain_form(ours) != plain_form(other)]
    print(f"{name:<30}{len(pairs):>9,}{len(pairs) - len(read):>9,}{len(read) - len(wrong):>9,}{len(wrong):>9,}")
    if listed:
        for one, ours, other in wrong:
            print(f"  {one.article}", f"ours   {ours}", f"other  {other}", sep="\n    ")
            print(f"    source {html.unescape(one.mathml or one.tex)[:300]}")


def measure(data: Path, *, step: int, listed: bool) -> None:
    """Read all formulas in all ways and print the table."""
    found = list(formulas_of(data, step))
    maths, texts = [one for one in found if one.mathml], [one for one in found if one.tex]
    print(f"{'formulas':<30}{'all':>9}{'not read':>9}{'equal':>9}{'differ':>9}")
    if pandoc := find_pandoc():
        by_pandoc = map(linear_tex, pandoc_tex(pandoc, [one.mathml for one in maths]))
        pairs = [(one, read_math(one.mathml), other) for one, other in zip(maths, by_pandoc, strict=True)]
        compare("MathML, by pandoc", pairs, listed=listed)
        sources = [tex_source(one.tex).replace("$", "").replace("}{}", "") for one in texts]
        by_pandoc = map(read_math, pandoc_mathml(pandoc, sources))
        pairs = [(one, linear_tex(one.tex), other) for one, other in zip(texts, by_pandoc, strict=True)]
        compare("TeX, by pandoc", pairs, listed=listed)
    both = [(one, linear_tex(one.tex), read_math(one.mathml)) for one in found if one.tex and one.mathml]
    compare("two forms of a publisher", both, listed=listed)
    print(f"pandoc is {version(pandoc)}" if pandoc else "pandoc is not installed: only the publishers' own forms")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of pmc/")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th article only")
    parser.add_argument("--list", action="store_true", help="print all that differ")
    chosen = parser.parse_args()
    measure(chosen.data, step=chosen.every, listed=chosen.list)


if __name__ == "__main__":
    main()
