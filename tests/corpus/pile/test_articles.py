"""The Pile's markdown of articles, compared with what pandoc 2.9.2.1 wrote, stored, or asked again where there is one.

The files `golden/pile_*.md` are the output of `pandoc -f jats --wrap=none -t markdown` for the XML beside them.
"""

import os
import random
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from corpus.pile.articles import pile_article
from corpus.reasons import PileDrop
from tests.support.real_articles import articles

ARTICLES = 40


def undivided(text: str) -> str:
    """Return pandoc's output as The Pile kept it."""
    return re.sub(r"^:::.*\n", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["prose", "tables", "marks"])
def test_equal_to_what_pandoc_wrote(name: str, repository: Path) -> None:
    golden = repository / "tests" / "golden"
    expected = (golden / f"pile_{name}.md").read_text()
    assert pile_article((golden / f"pile_{name}.xml").read_bytes()).text == undivided(expected)


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("<p>H<sub>2</sub>O 10<sup>5</sup> <italic>a_b</italic></p>", "H~2~O 10^5^ *a\\_b*\n"),
        ("<p>see [<xref ref-type='bibr' rid='B1'>1</xref>]</p>", "see \\[[@B1]\\]\n"),
        ("<p>log<sub>10 </sub>during</p>", "log~10~during\n"),  # the space is lost
        ("<p>List:<list><list-item><p>a</p></list-item></list>tail</p>", "List:atail\n"),  # glued
        ("<sec><?x y?><title>T</title><p>z</p></sec>", "z\n"),  # an instruction is taken for an open element
        ("<?a b -//NLM//DTD x?><p>z</p>", "/NLM//DTD x?\\>\n\nz\n"),
        ("<fig id='F'><label>Fig. 1</label><caption><p>C</p></caption><graphic href='g'/></fig>", "![C](g){#F}\n"),
        ("<p>$<inline-formula><tex-math>$x$</tex-math></inline-formula></p>", "\\$$$x$$\n"),
        ("", "\n"),
    ],
)
def test_rules_and_faults(xml: str, text: str) -> None:
    assert pile_article(f"<article><body>{xml}</body></article>".encode()).text == text


def test_front_matter_and_references_give_nothing_but_footnotes() -> None:
    front = (
        "<front><article-meta><title-group><article-title>T<fn><p>n</p></fn></article-title></title-group>"
        "<abstract><p>A</p></abstract></article-meta></front>"
    )
    raw = f"<article>{front}<body><p>B</p></body><back><ref-list><ref>R</ref></ref-list></back></article>"
    assert pile_article(raw.encode()).text == "B\n\n[^1]: n\n"


def test_what_pandoc_cannot_read_is_dropped() -> None:
    for raw in (b"\x1f\x8b\x08\x00", b"<article>\xff</article>", b"<article>", b""):
        assert pile_article(raw).reason == PileDrop.PANDOC_FAILED


def test_deep_nesting_is_an_outcome_and_no_crash() -> None:
    for part in ("<sec>", "<italic>", "<list><list-item>", "<?x y?>"):
        names = re.findall(r"<(\w[\w-]*)>", part)
        close = "".join(f"</{name}>" for name in reversed(names))
        raw = f"<article>{part * 80}x{close * 80}</article>"
        assert "x" in pile_article(raw.encode()).text or "list" in part
        assert pile_article(f"<article>{part * 120}x{close * 120}</article>".encode()).reason == PileDrop.TOO_DEEP


def pandoc() -> str:
    """Return pandoc of the versions that The Pile can have used, or skip."""
    path = os.environ.get("CORPUSCLE_PANDOC") or shutil.which("pandoc")
    if path is None:
        pytest.skip("no pandoc here; CORPUSCLE_PANDOC may name one of version 2.9 or 2.10")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    if not re.match(r"2\.(9|10)\b", version):
        pytest.skip(f"pandoc {version} writes another dialect than the 2.9 or 2.10 that The Pile used")
    return path


@pytest.mark.real_data
@pytest.mark.slow
def test_real_articles_equal_what_pandoc_writes(real_data: Path, tmp_path: Path) -> None:
    program = pandoc()
    found = dict(sorted(articles(real_data)))
    equal = words = missing = 0
    for name in random.Random(0).sample(sorted(found), ARTICLES):
        (tmp_path / name).write_bytes(found[name])
        command = [program, "-f", "jats", str(tmp_path / name), "--wrap=none", "-t", "markdown"]
        done = subprocess.run(command, capture_output=True, check=False)
        made = pile_article(found[name])
        assert (made.reason == PileDrop.PANDOC_FAILED) == (done.returncode != 0)
        expected = undivided(done.stdout.decode())
        equal += made.text == expected or done.returncode != 0
        words += len(expected.split())
        missing += sum((Counter(expected.split()) - Counter(made.text.split())).values())
    assert equal >= 0.9 * ARTICLES
    assert missing <= 0.001 * words
