"""Likelihood scoring beside lm-evaluation-harness: `python -m tests.benchmarks.qa_lm_eval MODEL QUESTIONS TASK LIMIT`.

MODEL is a directory of transformers' form, QUESTIONS a result of `corpuscle qa questions`. The harness (pip install
lm_eval==0.4.13) reads the questions from a local file, by a task written here for it, without network. Printed: the
greatest difference of a log-likelihood, and acc and acc_norm of both.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.qa.prompts import PromptFormat, prompt_of
from corpus.qa.question import Question
from corpus.qa.store import read_questions
from train.export.backbone import load_backbone
from train.qa.data import task_shape
from train.qa.likelihood import ScoredEnds, score_prompts

TASK = """\
task: corpuscle_parity
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
target_delimiter: " "
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What our scores and the harness's came to on the same questions."""

    pairs: int  # log-likelihoods compared
    difference: float  # the greatest [nats]
    accuracies: tuple[float, float]  # acc and acc_norm, ours
    theirs: tuple[float, float]


def compare(model: str, questions: Sequence[Question], form: PromptFormat, work: str) -> Parity:
    """Return both scores of questions; `work` is a directory for the task's files."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    backbone = load_backbone(model, print, language_model=True)
    labels = task_shape(questions).kind == "class"
    prompts = [prompt_of(one, form, labels=labels) for one in questions]
    ours = score_prompts(backbone, prompts)
    rows = [
        {"text": prompt.text, "choices": [end[1:] for end in prompt.ends], "gold": one.label}
        for one, prompt in zip(questions, prompts, strict=True)
    ]
    samples, results = _by_lm_eval(backbone, rows, Path(work))
    found = {sample["doc_id"]: [float(pair[0]) for pair in sample["filtered_resps"]] for sample in samples}
    pairs = [
        (own, their)
        for number, scored in enumerate(ours)
        for own, their in zip(scored.sums, found[number], strict=True)
    ]
    return Parity(
        pairs=len(pairs),
        difference=max(abs(own - their) for own, their in pairs),
        accuracies=(_accuracy(questions, ours, "sums"), _accuracy(questions, ours, "per_character")),
        theirs=(results["acc,none"], results["acc_norm,none"]),
    )


def _by_lm_eval(backbone: Any, rows: list[dict[str, Any]], work: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    work.mkdir(parents=True, exist_ok=True)
    file = work / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (work / "corpuscle_parity.yaml").write_text(TASK.format(file=file))
    model = HFLM(
        pretrained=backbone.model, tokenizer=backbone.text.tokenizer, batch_size=4, max_length=backbone.max_length
    )
    found = simple_evaluate(
        model=model,
        tasks=["corpuscle_parity"],
        task_manager=TaskManager(include_path=str(work), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )
    return found["samples"]["corpuscle_parity"], found["results"]["corpuscle_parity"]


def _accuracy(questions: Sequence[Question], scored: Sequence[ScoredEnds], name: str) -> float:
    right = 0
    for one, own in zip(questions, scored, strict=True):
        values: tuple[float, ...] = getattr(own, name)
        right += values.index(max(values)) == one.label
    return right / len(questions)


def main(model: str, folder: str, task: str, limit: int) -> None:
    """Print the comparison for both formats."""
    import tempfile

    everything = [one for one in read_questions(folder, task=task) if one.label is not None]
    for form in ("letters", "option-text"):
        with tempfile.TemporaryDirectory() as work:
            found = compare(model, everything[:limit], form, work)  # type: ignore[arg-type]
        print(
            f"{task}, {form}: {found.pairs} log-likelihoods, greatest difference {found.difference:.1e} nats; acc "
            f"{found.accuracies[0]:.4f} and {found.theirs[0]:.4f}, acc_norm {found.accuracies[1]:.4f} and "
            f"{found.theirs[1]:.4f} (ours and theirs)"
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
