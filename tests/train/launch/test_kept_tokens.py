"""Training on tokens that kept a foreign tokenizer's ids, of four bytes: sizes, losses, samples, and what follows."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from corpus.errors import UsageError
from corpus.stage.manifest import read_manifest, verify_parts
from tests.support.kept_tokenizers import END, folder_of, ids_of, truth
from tests.support.small_corpus import mixed_corpus
from tests.tokenizer.test_given import pack
from tokenizer.token_rows import TokenRows
from train.config import TrainConfig
from train.export.backbone import load_backbone
from train.export.config import FORMATS, ExportConfig
from train.export.stage import export
from train.generate.backends import open_text_model
from train.generate.continuation import write_texts
from train.generate.sampling import Sampling
from train.launch.stage import train
from train.loop.metrics import read_metrics

CONFIG = TrainConfig.model_validate(
    {
        "model": {"layers": 1, "heads": 2, "hidden": 16},
        "steps": 2,
        "batch_rows": 2,
        "micro_batch": 2,
        "learning_rate": 1e-2,
        "warmup_steps": 1,
        "eval_every": 2,
        "eval_rows": 2,
        "save_every": 2,
        "log_every": 1,
        "sample_tokens": 3,
        "sample_prompt": "the gene",
        "document_mask": True,
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("kept")
    mixed_corpus(base / "corpus")
    pack(str(base / "corpus"), folder_of(base / "llama", "llama"), base / "tokens")
    train(CONFIG, tokens=str(base / "tokens"), output=str(base / "run"))
    return base


def test_a_run_has_the_size_and_the_files_of_its_tokenizer(folder: Path) -> None:
    run = str(folder / "run")
    manifest = read_manifest(run, "train")
    size = truth("llama").get_vocab_size()
    rows = TokenRows(str(folder / "tokens"), "train")
    assert rows.vocab_size == size > 65_536
    assert manifest.summary["parameters"] > 16 * size
    assert [part.path for part in manifest.parts if part.role == "tokenizer"] == [
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert list(verify_parts(run, manifest)) == []
    last = read_metrics(run)[-1]
    assert last["validation_loss"] < 12  # log(66,102) is 11.1
    # A token of these texts stands for two bytes and a half: nats a token over bytes a token, in bits.
    assert 1 < last["validation_loss"] / last["validation_bits_per_byte"] < 4


def test_a_run_opens_with_its_own_separator(folder: Path) -> None:
    opened = open_text_model(str(folder / "run"), print)
    assert opened.model.end == truth("llama").token_to_id(END)
    written = write_texts(str(folder / "run"), "TNF-α", Sampling(max_tokens=3))
    assert written.prompt_tokens == len(ids_of(truth("llama"), "TNF-α"))  # no begin of text from the file's template
    assert written.texts[0].startswith("TNF-α")


def test_its_export_is_of_transformers_form_and_others_are_refused(folder: Path) -> None:
    others = [kind for kind, form in FORMATS.items() if form.family != "transformers"]
    for kind in others:
        with pytest.raises(UsageError, match=f"{kind} take a tokenizer that splits words as GPT-2's"):
            export(ExportConfig(formats=(kind,)), run=str(folder / "run"), output=str(folder / kind))
    export(ExportConfig(formats=("folded",)), run=str(folder / "run"), output=str(folder / "out"))
    tokenizer = AutoTokenizer.from_pretrained(folder / "out" / "folded")
    model = AutoModelForCausalLM.from_pretrained(folder / "out" / "folded")
    end = truth("llama").token_to_id(END)
    assert (tokenizer.eos_token, tokenizer.eos_token_id, model.config.eos_token_id) == (END, end, end)
    assert tokenizer("TNF-α", add_special_tokens=False).input_ids == ids_of(truth("llama"), "TNF-α")
    assert open_text_model(str(folder / "out"), print).model.end == end


def test_a_run_is_a_backbone_for_fine_tuning(folder: Path) -> None:
    backbone = load_backbone(str(folder / "run"), print)
    assert backbone.text.tokenizer.eos_token_id == truth("llama").token_to_id(END)
