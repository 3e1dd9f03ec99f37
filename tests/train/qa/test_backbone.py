"""Loader of any model: equal to transformers, whole or refused with names, special tokens out of no text."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from corpus.errors import CorruptError, UsageError
from tests.support.small_run import SHAPE, loud_model, write_run
from tests.train.qa.models import gpt2, loud, word_tokenizer, write_bert, write_gpt2
from train.export.backbone import load_backbone
from train.export.config import ExportConfig
from train.export.stage import export
from train.model.backbone import pad_rows


@pytest.mark.parametrize("write", [write_gpt2, write_bert])
def test_a_directory_gives_transformers_hidden_states(write, tmp_path: Path) -> None:
    backbone = load_backbone(str(write(tmp_path)), pytest.fail)
    ids, mask = pad_rows([[5, 6, 7], [8, 9, 10, 11, 12]])
    with torch.no_grad():
        expected = AutoModel.from_pretrained(tmp_path)(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        torch.testing.assert_close(backbone(ids, mask)[mask], expected[mask], rtol=0, atol=1e-5)
    assert backbone.max_length == 96


def test_a_run_and_its_export_give_our_models_hidden_states(tmp_path: Path) -> None:
    model = loud_model()
    run = write_run(tmp_path / "run", model)
    for kinds in (("folded",), ("faithful",)):
        export(ExportConfig(formats=kinds), run=str(run), output=str(tmp_path / kinds[0]))
    ids, mask = pad_rows([[5, 6, 7, 8, 9, 3, 2], [1, 2]])
    with torch.no_grad():
        expected = model.hidden_states(ids)
        for path in (run, tmp_path / "folded", tmp_path / "faithful"):
            backbone = load_backbone(str(path), lambda line: None)
            torch.testing.assert_close(backbone(ids, mask)[mask], expected[mask], rtol=0, atol=2e-5)
            assert (backbone.causal, backbone.hidden, backbone.num_rows) == (True, SHAPE.hidden, SHAPE.vocab_size)


@pytest.mark.parametrize("padding", ["right", "left"])
def test_padding_on_either_side_changes_no_state(padding, tmp_path: Path) -> None:
    backbone = load_backbone(str(write_gpt2(tmp_path)), pytest.fail)
    loud(backbone)
    rows = [[5, 6, 7], [8, 9, 10, 11, 12]]
    ids, mask = pad_rows(rows, side=padding, length=9)
    with torch.no_grad():
        found = backbone(ids, mask)
        for own, own_mask, row in zip(found, mask, rows, strict=True):
            alone = backbone(*pad_rows([row]))[0]
            torch.testing.assert_close(own[own_mask], alone, rtol=0, atol=1e-5)


def test_the_layer_scale_is_not_ignored(tmp_path: Path) -> None:
    write_gpt2(tmp_path, scale_attn_by_inverse_layer_idx=True)
    backbone = load_backbone(str(tmp_path), pytest.fail)
    assert backbone.config._attn_implementation == "eager"
    loud(backbone)
    plain = gpt2()
    plain.load_state_dict(backbone.model.state_dict())
    ids, mask = pad_rows([[5, 6, 7, 8]])
    with torch.no_grad():
        assert (backbone(ids, mask) - plain(ids).last_hidden_state).abs().max() > 1e-2


def test_missing_weights_are_refused_by_their_names(tmp_path: Path) -> None:
    weights = load_file(write_bert(tmp_path) / "model.safetensors")
    name = next(name for name in weights if "layer.1.output.dense.weight" in name)
    save_file({key: tensor for key, tensor in weights.items() if key != name}, tmp_path / "model.safetensors")
    with pytest.raises(CorruptError, match=r"lacks 1 weights .* encoder\.layer\.1\.output\.dense\.weight"):
        load_backbone(str(tmp_path), pytest.fail)


def test_another_familys_weights_are_refused(tmp_path: Path) -> None:
    write_gpt2(tmp_path / "gpt2")
    write_bert(tmp_path / "bert")
    (tmp_path / "bert" / "model.safetensors").write_bytes((tmp_path / "gpt2" / "model.safetensors").read_bytes())
    with pytest.raises(CorruptError, match="start them at random: embeddings"):
        load_backbone(str(tmp_path / "bert"), pytest.fail)


def test_weights_without_a_place_are_named(tmp_path: Path) -> None:
    weights = load_file(write_gpt2(tmp_path) / "model.safetensors")
    save_file({**weights, "score.weight": torch.zeros(2, 32)}, tmp_path / "model.safetensors", {"format": "pt"})
    said: list[str] = []
    load_backbone(str(tmp_path), said.append)
    assert said == [f"{tmp_path}: 1 weights of the files are not used: score.weight"]


def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    write_gpt2(tmp_path)
    word_tokenizer([f"x{number}" for number in range(99)]).save_pretrained(tmp_path)
    with pytest.raises(CorruptError, match="the tokenizer has 101 tokens, the embedding 42 rows"):
        load_backbone(str(tmp_path), pytest.fail)


@pytest.mark.parametrize("content", ["{}", '{"model_type": "t5"}', '{"model_type": "nonsense"}', "no json"])
def test_what_is_no_model_is_refused(content: str, tmp_path: Path) -> None:
    word_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match=str(tmp_path)):
        load_backbone(str(tmp_path), pytest.fail)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        load_backbone(str(tmp_path / "none"), pytest.fail)


def test_no_text_spells_a_special_token(tmp_path: Path) -> None:
    backbone = load_backbone(str(write_bert(tmp_path)), pytest.fail)
    assert backbone.text.sep_id == 2
    assert not {1, 2, 3} & {*backbone.text.encode("w1 [SEP] [CLS] w2 [PAD] w3[SEP]")}
    new = backbone.add_tokens(2, seed=1, rows="normal")
    assert new == [45, 46]
    assert json.dumps(new) not in backbone.text.encode("45 46")


@pytest.mark.parametrize("rows", ["normal", "mean"])
def test_new_rows_start_as_stated_and_old_ones_stay(rows, tmp_path: Path) -> None:
    write_gpt2(tmp_path, hidden=1024, layers=1)
    before = load_backbone(str(tmp_path), pytest.fail)
    old = before.model.wte.weight.detach().clone()
    ids = before.add_tokens(3, seed=1, rows=rows)
    table = before.model.wte.weight.detach()
    torch.testing.assert_close(table[: len(old)], old, rtol=0, atol=0)
    if rows == "normal":
        assert table[ids].std().item() == pytest.approx(0.02, rel=0.05)
        again = load_backbone(str(tmp_path), pytest.fail)
        again.add_tokens(3, seed=1, rows=rows)
        assert torch.equal(again.model.wte.weight, before.model.wte.weight)
    else:
        torch.testing.assert_close(table[ids], old.mean(dim=0).expand(3, -1))
