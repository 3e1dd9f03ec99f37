"""CTranslate2's int8 product on every kind of CPU: no sum of two leaves 16 bits, and the model stays the model."""

import dataclasses
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
import torch
from ctranslate2.converters import TransformersConverter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.ct2_logits import INSTRUCTIONS, logits_with
from tests.support.small_run import SHAPE, VOCAB, loud_model, write_run
from train.export.config import ExportConfig
from train.export.ctranslate2 import narrow_int8
from train.export.stage import export
from train.model.gpt import GPT, build_model

LIMITS = (1.2, 0.09)  # as in test_formats; seen 0.55 and 0.060 on each; 2.9 and 0.27 where two products are clipped


def worst_model() -> GPT:
    """Return a model whose int8 products are as large as can be: all inputs alike, all weights of a row too."""
    shape = dataclasses.replace(SHAPE, layers=1, hidden=512, scale_attn_by_inverse_layer_idx=False)
    model, generator = build_model(shape, seed=1), torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.fill_(0.0 if name.endswith("weight") else 1.0)
            elif parameter.dim() == 2:
                parameter.copy_(0.01 - 1e-5 * torch.rand(parameter.shape, generator=generator))
            else:
                parameter.zero_()
        model.tokens.weight[::2] *= 2
        model.tokens.weight[VOCAB:] = 0.0
    return model.eval()


def ids() -> torch.Tensor:
    return torch.randint(VOCAB, (3, SHAPE.seq_length), generator=torch.Generator().manual_seed(5))


MODELS = {"loud": loud_model(), "worst": worst_model()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    for name, model in MODELS.items():
        run = write_run(folder / name / "run", model)
        export(ExportConfig(formats=("ct2-int8", "folded")), run=str(run), output=str(folder / name / "out"))
    return folder


@pytest.mark.parametrize("instructions", INSTRUCTIONS)
def test_int8_is_the_model_whatever_the_cpu(instructions: str, exported: Path, tmp_path: Path) -> None:
    found = torch.from_numpy(logits_with(instructions, exported / "loud/out/ct2-int8", ids().numpy(), tmp_path))
    with torch.no_grad():
        wanted = MODELS["loud"].logits(ids()).log_softmax(-1)
    gaps = (found.log_softmax(-1) - wanted).abs()
    assert gaps.max() < LIMITS[0]
    assert gaps.mean() < LIMITS[1]


@pytest.mark.parametrize("instructions", ["mkl-avx2", "onednn-avx2"])
def test_the_largest_products_are_not_clipped(instructions: str, exported: Path, tmp_path: Path) -> None:
    found = logits_with(instructions, exported / "worst/out/ct2-int8", ids().numpy(), tmp_path)
    with torch.no_grad():
        wanted = MODELS["worst"].logits(ids()).numpy()
    assert wanted.min() > 5
    np.testing.assert_allclose(found, wanted, rtol=0.01)  # clipped, they are a hundredth of it


floats = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


@settings(max_examples=200, deadline=None)
@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=floats))
def test_no_two_int8_weights_of_a_row_sum_beyond_16_bits(weight: np.ndarray) -> None:
    numbers, scales = narrow_int8(weight.copy())
    assert (numbers.dtype, scales.dtype) == (np.int8, np.float32)
    ordered = np.sort(numbers.astype(int), axis=1)
    assert 255 * ordered[:, -2:].sum(axis=1).max() < 2**15
    assert 255 * ordered[:, :2].sum(axis=1).min() >= -(2**15)
    assert np.isfinite(scales).all()
    error = np.abs(numbers - weight.astype(np.float64) * scales[:, None])
    assert error.max() <= 0.5 + 1e-4, "rounded to the nearest"


def test_a_row_uses_what_range_there_is() -> None:
    numbers, _ = narrow_int8(np.array([[1, 0, 0, -1], [1, 1, 0, 0], [0, 0, 0, 0], [-3, -1, 0, 0]], np.float32))
    assert np.abs(numbers).max(axis=1).tolist() == [127, 64, 0, 95]


def test_all_but_the_int8_numbers_is_as_its_own_converter_writes_it(exported: Path, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", exported / "loud/out/ct2-int8"
    TransformersConverter(str(exported / "loud/out/folded")).convert(str(theirs), quantization="int8")
    assert (theirs / "vocabulary.json").read_bytes() == (ours / "vocabulary.json").read_bytes()
    left, right = (folder / "model.bin" for folder in (theirs, ours))
    assert left.stat().st_size == right.stat().st_size
    assert ctranslate2.contains_model(str(ours))
