"""What pages show runs: the snippets of library.md, the examples, and every command line."""

import contextlib
import importlib.util
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import app, main
from pipelines.cli.arguments import split_command_line
from tests.docs.pages import PAGES, REPOSITORY, blocks, commands, name_of
from tests.support.small_corpus import mixed_corpus
from tokenizer.config import PackConfig, TokenizerConfig
from tokenizer.learn import learn
from tokenizer.pack import finish_pack, pack_shard, plan_pack

EXAMPLES = REPOSITORY / "docs" / "examples"
LIBRARY = REPOSITORY / "docs" / "library.md"
# Command lines that read this repository alone and take a moment: what a page shows below them is what they print.
RUN_HERE = (
    "corpuscle plan --config",
    "corpuscle run configs/sample.yaml --print-config",
    "corpuscle run --schema",
)

COMMANDS = [(name_of(page), words, shown) for page in PAGES for words, shown in commands(page)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a small `demo/` of the form that `make demo` leaves."""
    place = tmp_path_factory.mktemp("docs")
    write_sample(str(place / "demo" / "raw"), scale=0.02)
    corpus, tokenizer, tokens = (str(place / "demo" / name) for name in ("corpus/clean", "tokenizer", "tokens/clean"))
    mixed_corpus(Path(corpus), count=60)
    learn(TokenizerConfig(vocab_size=400), corpus=corpus, output=tokenizer)
    config = PackConfig(seq_length=32)
    workspace, _, tasks = plan_pack(config, corpus=corpus, tokenizer=tokenizer, output=tokens)
    receipts = [
        pack_shard(
            task.corpus_shard, tokenizer=tokenizer, stem=task.stem, workspace=workspace, role=task.role, config=config
        )
        for task in tasks
    ]
    finish_pack(workspace, receipts, config, tokenizer=tokenizer, tasks=tasks)
    return place


def test_snippets_of_the_library_page_run(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    shown, names = io.StringIO(), {"__name__": "library"}
    for snippet in blocks(LIBRARY, "python"):
        with contextlib.redirect_stdout(shown):
            exec(compile(snippet, str(LIBRARY), "exec"), names)
    lines = shown.getvalue().splitlines()
    assert any(line.startswith("pmid:") for line in lines)
    assert "0 1 0." in shown.getvalue()
    assert any("The patients received a placebo." in line for line in lines)


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_run_as_the_page_says(script: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (words,) = [words for words, _ in commands(LIBRARY) if words[1].endswith(script.name)]
    monkeypatch.chdir(demo)
    monkeypatch.setattr(sys, "argv", words[1:])
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        runpy.run_path(str(REPOSITORY / words[1]), run_name="__main__")
    assert shown.getvalue()


def test_examples_are_short() -> None:
    scripts = list(EXAMPLES.glob("*.py"))
    assert len(scripts) == 3
    assert not [script.name for script in scripts if len(script.read_text().splitlines()) > 40]


def test_the_packages_are_typed() -> None:
    assert all(
        (REPOSITORY / package / "py.typed").exists() for package in ("corpus", "pipelines", "tokenizer", "train")
    )


def test_the_library_is_light() -> None:
    heavy = "import corpus, sys; sys.exit(len([name for name in sys.modules if name.startswith('corpus.')]))"
    assert subprocess.run([sys.executable, "-c", heavy], cwd=REPOSITORY).returncode == 0
    code = "import sys, tokenizer, corpus.dedup, corpus.text, corpus.stage, corpus.ncbi.jats, corpus.ncbi.pubmed\n"
    code += "sys.exit(bool({'apache_beam', 'torch', 'awkward'} & {name for name in sys.modules}))"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}  # what is imported does not depend on it
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=environment).returncode == 0


@pytest.mark.parametrize(("page", "words", "shown"), COMMANDS, ids=lambda value: str(value)[:40])
def test_commands_are_commands(page: str, words: list[str], shown: list[str]) -> None:
    while words and "=" in words[0]:  # variables of the environment
        words = words[1:]
    assert all((REPOSITORY / word).exists() for word in words if word.startswith(("configs/", "docs/")))
    if words[:1] == ["corpuscle"]:
        _check_verb(words[1:])
        if " ".join(words).startswith(RUN_HERE):
            assert set(shown) <= set(_printed(words[1:]))
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]) is not None
    elif words[:1] == ["make"]:
        assert f"\n{words[1]}:" in (REPOSITORY / "Makefile").read_text()


def test_commands_of_all_pages_are_found_and_a_wrong_one_is_seen() -> None:
    assert sum(words[:1] == ["corpuscle"] for _, words, _ in COMMANDS) >= 30
    with pytest.raises(Exception, match="no-such-option"):
        _check_verb(["train", "--no-such-option"])


def _check_verb(words: list[str]) -> None:
    """Parse a command line as the front door would, without running it."""
    line = split_command_line(words)
    command, own = typer.main.get_command(app), list(line.own)
    context = command.make_context("corpuscle", own[:1])
    while hasattr(command, "get_command"):
        name = own.pop(0)
        command = command.get_command(context, name)
        assert command is not None, f"corpuscle {' '.join(words)}: no verb {name}"
    command.make_context(name, own, parent=context)


def _printed(words: list[str]) -> list[str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(words) == 0
    return printed.getvalue().splitlines()
