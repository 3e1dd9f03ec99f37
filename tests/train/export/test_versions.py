"""What cards say was tried was run: by `python -m tests.benchmarks.exports`, whose table is in docs/benchmarks.md."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.exports import HEAD, Row, worst
from tests.support.house import REPOSITORY
from train.export.config import FORMATS, TRIED

GOOD = Row(
    library="transformers",
    version=TRIED["transformers"][-1],
    sizes="any",
    kind="faithful",
    numbers="float32",
    largest=1e-5,
    mean=1e-6,
    ids=True,
    greedy=4,
)


def recorded() -> dict[tuple[str, str, str], str]:
    """Return the verdicts of the recorded table by (library, version, format)."""
    text = (REPOSITORY / "docs/benchmarks.md").read_text(encoding="utf-8")
    _, _, table = text.partition(f"| {' | '.join(HEAD)} |\n")
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in table.split("\n\n")[0].splitlines()[1:]]
    found: dict[tuple[str, str, str], str] = {}
    for place, kind, *_, verdict in rows:
        library, version = place.split()
        found[library, version, kind] = max(verdict, found.get((library, version, kind), "ok"), key="ok".__ne__)
    return found


def test_every_version_that_a_card_names_has_its_rows_in_the_recorded_table() -> None:
    families = {"transformers": "transformers", "gguf": "xllamacpp", "ct2": "ctranslate2"}
    wanted = {
        (library, version, kind)
        for kind, form in FORMATS.items()
        for library in [families[form.family]]
        for version in TRIED[library]
    }
    assert {*recorded()} == wanted
    not_ok = {key: verdict for key, verdict in recorded().items() if verdict != "ok"}
    assert {kind for _, _, kind in not_ok} <= {"faithful"}, "a card names a version in which a format does not hold"
    assert ("transformers", TRIED["transformers"][-1], "faithful") not in not_ok


@pytest.mark.slow
def test_the_command_finds_the_installed_versions_good(tmp_path: Path) -> None:
    """A vocabulary of bytes alone, which has no merges: llama.cpp loads it too."""
    chosen = [word for library in TRIED for word in ("--only", f"{library}=={TRIED[library][-1]}")]
    command = [sys.executable, "-m", "tests.benchmarks.exports", "--folder", str(tmp_path), "--vocabulary", "257"]
    done = subprocess.run([*command, *chosen], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows, _, table = done.stdout.partition("\n\n")
    assert len(rows.splitlines()) == len(table.splitlines()) - 2 == 10
    assert {line.split()[-1] for line in rows.splitlines()} == {"ok"}
    assert not [*tmp_path.iterdir()], "what is installed is not fetched"


def test_a_fault_is_named() -> None:
    assert GOOD.verdict == "ok"
    assert replace(GOOD, ids=False).verdict == "ids"
    assert replace(GOOD, greedy=3).verdict == "greedy"
    assert replace(GOOD, mean=0.01).verdict == "another model"
    assert replace(GOOD, mean=0.01, numbers="bfloat16", greedy=3).verdict == "ok"
    assert replace(GOOD, mean=0.1, numbers="bfloat16").verdict == "another model"
    older = replace(GOOD, mean=0.1, version=TRIED["transformers"][0])
    assert (older.verdict, older.is_claimed) == ("another model, as cards say", False)
    assert replace(older, kind="folded").is_claimed


def test_the_table_holds_the_worst_of_all_sizes() -> None:
    row = [*worst([GOOD, replace(GOOD, ids=False, greedy=2, largest=0.5), replace(GOOD, mean=1e-5)])][-1]
    cells = ("0.500000", "0.000010", "OTHER", "10 of 12", "ids, greedy")
    assert row == f"| transformers {GOOD.version} | `faithful` | float32 | {' | '.join(cells)} |"
