"""Both parsers under mutations: no error but the documented ones, no hang, no loss beside damage, no silent acceptance.

The properties are those of the long runs (`python -m tests.fuzz.run`); inputs that once broke one are replayed.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import REPOSITORY
from tests.fuzz import properties
from tests.fuzz.mutate import REGRESSIONS, TOKENS, mutate, seeds
from tests.fuzz.properties import check_jats, check_pubmed
from tests.support.malformed import article, citation

CHECKS: dict[str, Callable[[bytes], None]] = {"pubmed": check_pubmed, "jats": check_jats}
SEEDS = {parser: seeds(parser) for parser in CHECKS}
STORED = sorted(path for parser in CHECKS for path in (REGRESSIONS / parser).glob("*"))
RELAXED = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_inputs_that_broke_a_property_once(path: Path) -> None:
    CHECKS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("parser", CHECKS)
def test_every_seed(parser: str) -> None:
    for data in SEEDS[parser]:
        CHECKS[parser](data)


@pytest.mark.parametrize("parser", CHECKS)
@RELAXED
@given(number=st.integers(0, 10**9), generation=st.integers(1, 3))
def test_mutations_of_sound_and_damaged_inputs(parser: str, number: int, generation: int) -> None:
    rng, pool = random.Random(number), SEEDS[parser]
    data = rng.choice(pool)
    for _ in range(generation):
        data = mutate(data, rng, pool)
    begun = time.process_time()
    CHECKS[parser](data)
    assert time.process_time() - begun < 10


PIECES = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=8), max_size=30).map(b"".join)


@pytest.mark.parametrize("parser", CHECKS)
@RELAXED
@given(inside=PIECES)
def test_any_bytes_where_text_stands(parser: str, inside: bytes) -> None:
    CHECKS[parser](citation(7, inside) if parser == "pubmed" else article(7, inside))


@pytest.mark.parametrize("parser", CHECKS)
@RELAXED
@given(data=PIECES)
def test_any_bytes_at_all(parser: str, data: bytes) -> None:
    CHECKS[parser](data)


NAMES = {
    "pubmed": "ArticleTitle Abstract AbstractText OtherAbstract Article PMID Journal Title PubDate Year MedlineDate "
    "Language MeshHeading DescriptorName KeywordList Keyword CommentsCorrections ArticleId i b sub sup math mi mn",
    "jats": "sec title p list list-item fig label caption table-wrap table tr td th fn xref ref-list ref article-id "
    "mixed-citation sub-article front body back abstract article-meta italic sup sub disp-formula math mi mfrac "
    "alternatives tex-math boxed-text graphic supplementary-material unknown",
}
TEXTS = ["", " ", "p53", "a &lt; b", "10", "é", "—", "]]", "&#65;", "<!-- c -->", "<![CDATA[<]]>", "\n"]
ATTRIBUTES = ["", " id='1'", ' pub-id-type="pmc"', ' colspan="2"', ' IdType="doi"', ' xml:lang="de"']


def trees(names: str) -> st.SearchStrategy[bytes]:
    """Return well-formed content: any of the reader's elements inside any other."""
    tag, attribute = st.sampled_from(names.split()), st.sampled_from(ATTRIBUTES)
    leaf = st.sampled_from(TEXTS).map(str.encode)
    return st.recursive(
        leaf,
        lambda inner: st.builds(
            lambda name, attributes, parts: f"<{name}{attributes}>".encode() + b"".join(parts) + f"</{name}>".encode(),
            tag,
            attribute,
            st.lists(inner, max_size=5),
        ),
        max_leaves=40,
    )


@pytest.mark.parametrize("parser", CHECKS)
@RELAXED
@given(data=st.data())
def test_any_tree_of_the_readers_own_elements(parser: str, data: st.DataObject) -> None:
    inside = data.draw(trees(NAMES[parser]))
    CHECKS[parser](citation(7, inside) if parser == "pubmed" else article(7, inside))


def test_the_properties_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = citation(7, b"<i>a</b>")
    check_pubmed(broken)
    monkeypatch.setattr(properties, "_tree", lambda data: None)
    with pytest.raises(AssertionError, match="not well-formed is accepted"):
        check_pubmed(citation(7))
    monkeypatch.undo()
    monkeypatch.setattr(properties, "AFTER", citation(222, b"Another."))
    with pytest.raises(AssertionError):
        check_pubmed(broken)


@pytest.mark.slow
@pytest.mark.parametrize("parser", CHECKS)
def test_the_command_runs_and_says_what_it_did(tmp_path: Path, parser: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--parser", parser, "--runs", "300", "--plain"]
    command += ["--findings", str(tmp_path / "found")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{parser}: 300 inputs, 0 failures" in done.stdout
    assert not (tmp_path / "found").exists()
