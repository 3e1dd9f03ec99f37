"""More files for `tests.fuzz.metadata`: question sets, tokenizers of others, what stands beside tokens and models."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from corpus.errors import CorpuscleError
from corpus.fetch.pmc.article_shards import _ArticleNote
from corpus.qa.question import Question
from corpus.qa.recognise import read_file
from corpus.qa.sources import open_file
from corpus.stage.forecast import last_run
from corpus.stage.lock import RUN_FACTS
from corpus.stage.manifest import Books, Manifest, Part
from corpus.storage.files import sha256_file
from corpus.storage.json_files import BadJsonError, build, parse_json
from corpus.storage.schema import to_table
from pipelines.inspection.foreign_clusters import _given
from pipelines.inspection.papers import _steps_done
from tokenizer import blocks
from tokenizer.given import read_given
from tokenizer.hf_json import tokenizer_json
from train.checkpoint.skipped import SKIPPED, SkippedRows, read_skipped
from train.generate.backends import _shape
from train.loop.metrics import METRICS
from train.qa.answerer import DESCRIPTION, AnswererCard, read_card
from train.qa.config import Setting, finetune_config
from train.qa.ct2_heads import _bias
from train.qa.job import JOB, FinetuneJob, read_job, write_job
from train.qa.kept_answers import answer_seconds

Write = Callable[[str, bytes], str]
_CARD = AnswererCard(
    base="/m", base_fingerprint="f", parameters=5, kind="choice", labels=("a", "b"), format="plain", keep="end",
    max_tokens=64, pool="last", special_ids={"<sep>": 300}, new_tokens=1, new_rows="mean", lora=0, lora_alpha=16,
    freeze_layers=0, seed=1,
)  # fmt: skip


def checks(write: Write) -> dict[str, Callable[[bytes], object]]:
    """Return the readers by kind; `write(name, data)` puts a file into the fuzzer's folder and returns its path."""

    def beside(name: str, data: bytes) -> str:
        return str(Path(write(f"beside-{name}/{name}", data)).parent)

    def run_facts(data: bytes) -> None:
        place = beside(RUN_FACTS, data)
        last_run(place)
        for read in (_given, answer_seconds):  # each whatever the other says
            with suppress(CorpuscleError):
                read(place)

    def note(data: bytes) -> None:
        with suppress(BadJsonError):  # of a journal, which names itself
            build(_ArticleNote, parse_json(data), optional=("drop", "etag", "md5", "xml_bytes"))

    def export_config(data: bytes) -> None:
        path = write("config.json", data)
        with suppress(CorpuscleError):
            _shape(path)
        _bias(str(Path(path).parent))

    return {
        "questions": lambda data: _questions(write("medqa_test.json", data)),
        "table": lambda data: _questions(write("anatomy_test.csv", data)),
        "given": lambda data: read_given(write("given.json", data)),
        "skipped": lambda data: read_skipped(beside(SKIPPED, data)),
        "blocks": lambda data: _blocks(beside(blocks.BLOCKS, data)),
        "finetune": lambda data: finetune_config(write("finetune.yaml", data), {}),
        "finetune-job": lambda data: read_job(beside(JOB, data)),
        "answerer": lambda data: read_card(beside(DESCRIPTION, data)),
        "run-facts": run_facts,
        "note": note,
        "export-config": export_config,
        "steps-done": lambda data: _steps_done(beside(METRICS, data)),
    }


def _questions(path: str) -> None:
    to_table(list(read_file(open_file(path)).questions), Question)


def _blocks(folder: str) -> None:
    path = str(Path(folder, blocks.BLOCKS))
    size = Path(path).stat().st_size
    part = Part(path=blocks.BLOCKS, role="blocks", rows=0, bytes=size, sha256=sha256_file(path))
    manifest = Manifest(
        stage="pack", revision=1, fingerprint="f", config={}, inputs=(), parts=(part,), books=Books(), summary={}
    )
    stated = blocks._read_blocks(folder, manifest)
    if stated is not None:
        blocks._digest(stated, part, 0)


def values() -> dict[str, list[Any]]:
    """Return the content of good JSON files by kind."""
    asked = {"question": "Is it so?", "options": {"A": "yes", "B": "no"}, "answer_idx": "A", "answer": "yes"}
    endings = {"id": "1", "sent1": "Is it?", "sent2": "", "ending0": "a", "ending1": "b", "label": 1}
    medmcqa = {"id": "1", "question": "Which?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 2}
    choices = {"question": "Which?", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 2}
    context = {"contexts": ["Text."], "labels": ["AIM"], "meshes": ["M"]}
    decision = {"pubid": 5, "question": "Is it?", "context": context, "long_answer": "It is.", "final_decision": "yes"}
    official = {
        "id": "5a", "type": "yesno", "body": "Is it?", "exact_answer": "yes", "ideal_answer": ["It is."],
        "documents": ["http://www.ncbi.nlm.nih.gov/pubmed/123"], "snippets": [{"text": "Text.", "document": "d"}],
    }  # fmt: skip
    pubmedqa = {"QUESTION": "Is it?", "CONTEXTS": ["Text."], "LABELS": ["AIM"], "final_decision": "yes"}
    mirage = {"question": "Which?", "options": {"A": "a", "B": "b"}, "answer": "A"}
    plain = {"id": "1", "task": "t", "split": "dev", "text": "Q", "context": "", "options": ["a", "b"], "label": 1}
    medquad = {"question": "What is it?", "focus": "it", "answer": "This."}
    rows = [
        [one, one | {"cop": 4}] if "cop" in one else [one, one]
        for one in (asked, endings, medmcqa, choices, decision, plain, medquad)
    ]
    documents = [{"questions": [official]}, {"123": pubmedqa}, {"mmlu": {"anatomy-000": mirage}}]
    rolled = SkippedRows(step=9, loss=7.5, reason="spike", back_to=5, batches=(8,), rows=(1, 2))
    facts = {"wall_seconds": 1.5, "cpu_seconds": 1.0, "bytes_read": 5, "given": ["/a"]}
    sizes = {"n_layer": 2, "n_head": 2, "n_embd": 8, "n_positions": 8, "vocab_size": 260}
    return {
        "questions": [*rows, *documents, asked],
        "skipped": [{"skipped": [asdict(rolled)]}],
        "blocks": [{"block_bytes": blocks.BLOCK_BYTES, "xxh3": {"train-00000.bin": ["0" * 32]}}],
        "answerer": [asdict(_CARD)],
        "run-facts": [facts | {"answer_seconds": {"medqa": {"ct2": 1.5}}}],
        "note": [{"etag": "e", "md5": "0" * 32, "xml_bytes": 5}, {"drop": "no_xml"}],
        "export-config": [
            sizes | {"scale_attn_by_inverse_layer_idx": True, "corpuscle": {"head_bias": 0.5}},
        ],
        "steps-done": [{"step": 1, "loss": 2.5}],
    }


def texts(folder: Path) -> dict[str, str]:
    """Return good files of the kinds that are no JSON, or are written by the product."""
    config = finetune_config("medqa", {"task": "medqa"})
    setting = Setting(learning_rate=1e-5, seed=1, many=False)
    job = FinetuneJob(config=config, setting=setting, model="/m", questions="/q", folder="/f", work=str(folder))
    write_job(job)
    return {
        "table": 'Which is it?,"a, b",c,d,e,B\nAnd this?,a,b,c,d,A\n',
        "given": tokenizer_json([(b"a", b"b"), (b"ab", b"c")]),
        "finetune": "task: medqa\nlearning_rates: [1.0e-5]\nseeds: 2\nbatch_questions: 8\n",
        "finetune-job": (folder / JOB).read_text(encoding="utf-8"),
    }
