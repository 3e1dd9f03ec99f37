"""Writing text: one token at a time is the whole model, sampling does what it says, outlets write the same."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorruptError, UsageError
from pipelines.cli.app import main
from tests.support.small_run import SHAPE, VOCAB, loud_model, write_run
from train.export import stage
from train.export.config import FORMATS, ExportConfig, ExportFormat
from train.export.stage import export
from train.generate.continuation import GeneratedTexts, write_texts
from train.generate.kv_cache import Decoder
from train.generate.sampling import Sampling
from train.model.sampling import sample_token

PROMPT = "TGF-β1 binds its receptor"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    run = write_run(made / "run", loud_model())
    export(ExportConfig(formats=tuple(FORMATS)), run=str(run), output=str(made / "out"))
    return made


@settings(max_examples=20, deadline=None)
@given(
    pieces=st.lists(st.integers(1, 9), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) <= SHAPE.seq_length),
    seed=st.integers(0, 99),
)
def test_reading_in_pieces_is_reading_at_once(pieces: list[int], seed: int) -> None:
    model = loud_model()
    ids = torch.randint(VOCAB, (sum(pieces),), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        wanted = model.logits(ids[None])[0]
    decoder, done = Decoder(model), 0
    for piece in pieces:
        found = decoder.read(ids[done : done + piece].tolist())
        done += piece
        torch.testing.assert_close(found, wanted[done - 1], atol=1e-5, rtol=1e-5)


def test_there_is_no_position_beyond_the_last() -> None:
    decoder = Decoder(loud_model())
    decoder.read([1] * SHAPE.seq_length)
    with pytest.raises(AssertionError):
        decoder.read([1])


def drawn(logits: torch.Tensor, times: int = 4000, **options: Any) -> Counter[int]:
    generator = torch.Generator().manual_seed(0)
    return Counter(sample_token(logits, generator, **options) for _ in range(times))


def test_sampling_draws_what_it_should() -> None:
    shares = torch.tensor([0.05, 0.5, 0.15, 0.3])
    logits = shares.log()
    free = drawn(logits, temperature=1.0, top_k=0)
    assert all(abs(free[token] / 4000 - share) < 0.03 for token, share in enumerate(shares.tolist()))
    assert {*drawn(logits, temperature=1.0, top_k=2)} == {1, 3}
    assert {*drawn(logits, temperature=1.0, top_k=0, top_p=0.6)} == {1, 3}  # 0.5 alone is not 0.6
    assert {*drawn(logits, temperature=1.0, top_k=0, top_p=0.5)} == {1}
    assert {*drawn(logits, 3, temperature=0)} == {1}
    cold = drawn(logits, temperature=0.5, top_k=0)
    squares = shares**2 / (shares**2).sum()
    assert all(abs(cold[token] / 4000 - share) < 0.03 for token, share in enumerate(squares.tolist()))


def test_impossible_options_are_named_together() -> None:
    with pytest.raises(UsageError, match=r"temperature must be at least 0, not -1, top-p must be above 0 .*, not 2"):
        Sampling(temperature=-1, top_p=2)


def written(path: Path, kind: ExportFormat | None, **options: float) -> GeneratedTexts:
    return write_texts(str(path), PROMPT, Sampling(max_tokens=12, **options), kind=kind)  # type: ignore[arg-type]


def test_every_exact_outlet_writes_the_same_text(folder: Path) -> None:
    wanted = written(folder / "run", None, temperature=0)
    assert wanted.texts[0].startswith(PROMPT)
    assert wanted.tokens == 12
    assert wanted.source == "step-00000007, fp32"
    for kind in ("folded", "faithful", "ct2-float32", "gguf-f16"):
        assert written(folder / "out", kind, temperature=0).texts == wanted.texts, kind  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ct2-int8", "ct2-float32", "folded", "gguf-q8_0"])
def test_a_seed_decides_the_text(kind: ExportFormat, folder: Path) -> None:
    first = written(folder / "out", kind, number=2)
    assert first.texts == written(folder / "out", kind, number=2).texts
    assert first.texts != written(folder / "out", kind, number=2, seed=5).texts
    assert first.texts[0] != first.texts[1]
    assert first.tokens <= 24


def test_the_smallest_is_taken_when_nothing_is_asked_for(folder: Path) -> None:
    found = written(folder / "out", None)
    assert found.source == "ct2-int8"
    assert found.peak_bytes > 1e7
    assert "tokens/s on 1 threads" in found.line()


def test_int8_that_is_another_model_on_some_cpus_is_not_taken_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", loud_model())
    monkeypatch.setattr(stage, "REVISION", 1)
    for name, kinds in (("both", ("folded", "ct2-int8")), ("alone", ("ct2-int8",))):
        export(ExportConfig(formats=kinds), run=str(run), output=str(tmp_path / name))  # type: ignore[arg-type]
    assert written(tmp_path / "both", None).source == "folded"
    assert "another model" not in capsys.readouterr().err
    for name, kind in (("both", "ct2-int8"), ("alone", None)):
        assert written(tmp_path / name, kind).source == "ct2-int8"  # type: ignore[arg-type]
        assert "this int8 is another model on a CPU without VNNI; export again" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folded", "ct2-int8", None])
def test_a_long_prompt_keeps_its_end_and_room(
    kind: ExportFormat | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder / ("out" if kind else "run")
    long = "and again " * 40 + PROMPT
    found = write_texts(str(place), long, Sampling(max_tokens=500, temperature=0, top_k=1), kind=kind)
    assert found.prompt_tokens == SHAPE.seq_length // 2 + 1
    assert 1 <= found.tokens <= SHAPE.seq_length // 2
    assert "the last 17 are read" in capsys.readouterr().err


def test_text_ends_at_the_end_of_text(tmp_path: Path) -> None:
    model = loud_model()
    with torch.no_grad():
        model.tokens.weight[VOCAB - 1] = 100 * model.norm.bias  # always by far the likeliest
    run = write_run(tmp_path / "run", model)
    export(ExportConfig(formats=("ct2-float32", "folded")), run=str(run), output=str(tmp_path / "out"))
    for place, kind in (("run", None), ("out", "folded"), ("out", "ct2-float32")):
        found = write_texts(str(tmp_path / place), PROMPT, Sampling(temperature=0), kind=kind)
        assert (found.texts, found.tokens) == ((PROMPT,), 0), kind


def test_changed_bytes_are_never_loaded(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", loud_model())
    export(ExportConfig(formats=("ct2-int8", "folded")), run=str(run), output=str(tmp_path / "out"))
    path = tmp_path / "out/ct2-int8/model.bin"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=r"ct2-int8/model\.bin: content differs .*; export again"):
        written(tmp_path / "out", None)
    assert written(tmp_path / "out", "folded").tokens > 0


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", str(folder / "out"), "--prompt", PROMPT, "--max-tokens", "5", "--number", "2"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert shown.out.count(PROMPT) == 2
    assert "ct2-int8: " in shown.err
    assert "tokens/s" in shown.err
    assert main([*words, "--top-p", "0"]) == 2
    assert "top-p must be above 0" in capsys.readouterr().err
    assert main(["generate", str(tmp_path), "--prompt", "x"]) == 2
    assert "neither a run (result of `corpuscle train`) nor an export" in capsys.readouterr().err
    assert main(["generate", str(folder / "run"), "--prompt", "x", "--format", "ct2-int8"]) == 2
    assert "--format chooses among the formats of an export" in capsys.readouterr().err
    export(ExportConfig(), run=str(folder / "run"), output=str(tmp_path / "plain"))
    assert main(["generate", str(tmp_path / "plain"), "--prompt", "x", "--format", "ct2-int8"]) == 2
    assert "holds folded, not ct2-int8" in capsys.readouterr().err
