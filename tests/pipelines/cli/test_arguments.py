"""The command line before Typer sees it."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import UsageError, did_you_mean
from pipelines.cli.arguments import MULTI_VALUE_FLAGS, expand_home, split_command_line, spread_values

VALUES = st.text("abc./*_0", min_size=1, max_size=6)


def test_what_stands_after_the_dashes_is_beams() -> None:
    line = split_command_line(["extract", "--output", "x", "--", "--runner=R", "--", "--debug"])
    assert line.own == ("extract", "--output", "x")
    assert line.beam == ("--runner=R", "--", "--debug")
    assert not line.debug


def test_debug_may_stand_anywhere_on_our_side() -> None:
    for words in (["--debug", "verify", "x"], ["verify", "--debug", "x"], ["verify", "x", "--debug"]):
        line = split_command_line(words)
        assert (line.own, line.debug) == (("verify", "x"), True)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--output=~/out", "--output=/home/me/out"),
        ("-o ~/out", "-o /home/me/out"),
        ("verify ~", "verify /home/me"),
        ("--pubmed ~/a b ~nobody-of-this-name/c", "--pubmed /home/me/a b ~nobody-of-this-name/c"),
        ("generate ~/run --prompt ~/a --prompt=~/a", "generate /home/me/run --prompt ~/a --prompt=~/a"),
        ("--set work=~/x a~/b", "--set work=~/x a~/b"),
    ],
)
def test_the_home_is_where_a_path_begins_with_a_tilde(words: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expand_home(words.split()) == found.split()
    assert split_command_line(["x", "--output=~/y", "--", "--a=~/b"]).own == ("x", "--output=/home/me/y")


@pytest.mark.parametrize(
    ("words", "spread"),
    [
        ("--pubmed a b c --pmc d", "--pubmed a --pubmed b --pubmed c --pmc d"),
        ("--pubmed a --pubmed b", "--pubmed a --pubmed b"),
        ("--pubmed=a b --output o", "--pubmed=a --pubmed b --output o"),
        ("--output o p --pmc", "--output o p --pmc"),
        ("--pubmed --output o", "--pubmed --output o"),
        ("x --pmc a -- b", "x --pmc a -- b"),
    ],
)
def test_several_values_after_one_flag(words: str, spread: str) -> None:
    assert spread_values(words.split()) == spread.split()


@given(
    st.lists(
        st.tuples(st.sampled_from([*MULTI_VALUE_FLAGS, "--output"]), st.lists(VALUES, min_size=1, max_size=4)),
        max_size=5,
    )
)
def test_spreading_means_what_argparse_reads_with_nargs_plus(groups: list[tuple[str, list[str]]]) -> None:
    groups = [(flag, values if flag != "--output" else values[:1]) for flag, values in groups]
    words = [word for flag, values in groups for word in (flag, *values)]
    oracle, single = argparse.ArgumentParser(), argparse.ArgumentParser()
    for flag in MULTI_VALUE_FLAGS:
        oracle.add_argument(flag, nargs="+", action="extend", default=[])
        single.add_argument(flag, action="append", default=[])
    for parser in (oracle, single):
        parser.add_argument("--output", action="append", default=[])
    assert single.parse_args(spread_values(words)) == oracle.parse_args(words)


@pytest.mark.parametrize(
    ("name", "known", "answer"),
    [
        ("--ouput", ["--output", "--workers"], "; did you mean --output?"),
        ("--vocab_size", ["--vocab-size", "--source"], "; did you mean --vocab-size?"),
        ("treshold", ["threshold", "seed"], "; did you mean threshold?"),
        ("--zzz", ["--output"], ""),
    ],
)
def test_suggestions(name: str, known: list[str], answer: str) -> None:
    assert did_you_mean(name, known) == answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runer=DataflowRunner"], "no flag --runer; did you mean --runner?"),
        (["--direct-num-workers=2"], "no flag --direct-num-workers; did you mean --direct_num_workers?"),
        (["--direct_num_workers=two"], "invalid int value: 'two'"),
        (["stray"], "'stray' is no flag"),
        (["--runner=DatflowRunner"], "no runner DatflowRunner; did you mean DataflowRunner?"),
    ],
)
def test_beam_flags_that_beam_would_only_warn_of(arguments: list[str], message: str) -> None:
    from pipelines.cli.beam_arguments import check_beam_arguments

    with pytest.raises(UsageError, match=r".") as caught:
        check_beam_arguments(arguments)
    assert message in str(caught.value)


@pytest.mark.slow
def test_beam_flags_that_beam_knows() -> None:
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipelines.cli.beam_arguments import check_beam_arguments

    dataflow = ["--runner=DataflowRunner", "--dry_run=True", "--project", "p", "--temp_location=gs://b/t", "--region=r"]
    workers = ["--experiments=a", "--experiments", "b", "--max_num_workers=9", "--sdk_container_image=i"]
    portable = ["--environment_type=EXTERNAL", "--environment_config=localhost:50000", "--job_endpoint=embed"]
    arguments = [*dataflow, *workers, *portable]
    check_beam_arguments(arguments)
    options = PipelineOptions(arguments).get_all_options(drop_default=True)
    assert (options["dry_run"], options["max_num_workers"], options["job_endpoint"]) == ("True", 9, "embed")
