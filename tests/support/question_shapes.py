"""Writers of question sets in every published form, made from Questions: what the readers must give back."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.qa.question import Question
from corpus.qa.reading import LETTERS


def json_lines(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    """Write an object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def parquet_rows(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    """Write the same rows as Parquet."""
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def _lettered(options: Sequence[str]) -> dict[str, str]:
    return dict(zip(LETTERS, options, strict=False))


def gbaker_row(one: Question) -> dict[str, Any]:
    """MedQA as published and by GBaker."""
    assert one.label is not None
    return {
        "question": one.text,
        "answer": one.options[one.label],
        "options": _lettered(one.options),
        "meta_info": one.subject,
        "answer_idx": LETTERS[one.label],
        "metamap_phrases": [],
    }


def endings_row(one: Question) -> dict[str, Any]:
    """MedQA by GBaker, -hf."""
    endings = {f"ending{number}": text for number, text in enumerate(one.options)}
    return {"id": one.id, "sent1": one.text, "sent2": "", **endings, "label": one.label}


def medmcqa_row(one: Question, base: int) -> dict[str, Any]:
    """MedMCQA; base 1 is the original, 0 is Hugging Face's, where -1 hides."""
    options = dict(zip(("opa", "opb", "opc", "opd"), one.options, strict=True))
    cop = -1 if one.label is None else one.label + base
    return {"id": one.id, "question": one.text, **options, "cop": cop, "choice_type": "single",
            "subject_name": one.subject, "topic_name": None, "exp": None}  # fmt: skip


def mmlu_csv(questions: Sequence[Question], path: Path, *, header: bool) -> Path:
    """MMLU, a CSV a subject."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    if header:
        writer.writerow(["question", "A", "B", "C", "D", "answer"])
    writer.writerows([one.text, *one.options, LETTERS[one.label or 0]] for one in questions)
    path.write_text(sink.getvalue(), encoding="utf-8")
    return path


def mmlu_choices_row(one: Question) -> dict[str, Any]:
    """MMLU by cais."""
    return {"question": one.text, "subject": one.subject, "choices": list(one.options), "answer": one.label}


def mirage(sets: dict[str, Sequence[Question]], path: Path) -> Path:
    """MIRAGE's one file: MedQA, MedMCQA and MMLU under its own ids."""
    names = {
        "medqa": lambda one: one.id.removeprefix("test-")[1:],
        "medmcqa": lambda one: one.id,
        "mmlu": lambda one: one.id.replace("-test-", "-"),
    }
    content = {
        name: {
            names[name](one): {
                "question": one.text,
                "options": _lettered(one.options),
                "answer": LETTERS[one.label or 0],
            }
            for one in questions
        }
        for name, questions in sets.items()
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def pubmedqa_original(questions: Sequence[Question], path: Path) -> Path:
    """PubMedQA's `ori_pqal.json`; each context is written as the paragraphs that its spaces separate."""
    content = {
        one.id: {
            "QUESTION": one.text,
            "CONTEXTS": one.context.split(" "),
            "LABELS": [],
            "MESHES": [],
            "final_decision": one.options[one.label or 0],
            "LONG_ANSWER": one.answer,
        }
        for one in questions
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def pubmedqa_row(one: Question) -> dict[str, Any]:
    """PubMedQA on Hugging Face."""
    context = {"contexts": one.context.split(" "), "labels": ["X"], "meshes": ["Y"]}
    return {"pubid": int(one.id), "question": one.text, "context": context, "long_answer": one.answer,
            "final_decision": one.options[one.label or 0]}  # fmt: skip


def blurb(questions: Sequence[Question], path: Path) -> Path:
    """BioASQ in BLURB's form."""
    rows = [[one.id, one.text, one.context, one.options[one.label or 0]] for one in questions]
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def bioasq_official(questions: Sequence[Question], path: Path, spellings: Sequence[int]) -> Path:
    """BioASQ's JSON; spellings: how each answer is written, 0 `yes`, 1 `Yes`, 2 `["yes"]`."""
    items = []
    for one, spelling in zip(questions, spellings, strict=True):
        word = one.options[one.label or 0]
        documents = [f"http://www.ncbi.nlm.nih.gov/pubmed/{pmid}" for pmid in one.pmids]
        items.append(
            {
                "id": one.id,
                "type": "yesno",
                "body": one.text,
                "documents": documents,
                "snippets": [{"text": text, "document": documents[:1]} for text in one.context.split(" ")],
                "exact_answer": (word, word.title(), [word])[spelling],
                "ideal_answer": ["…"],
            }
        )
    path.write_text(json.dumps({"questions": items}), encoding="utf-8")
    return path


def medquad_xml(questions: Sequence[Question], folder: Path, *, old: bool) -> list[Path]:
    """MedQuAD, a file a question, in a folder; old: with the element names of its four odd files."""
    names = ("doc", "qaPairs", "pair", "question", "answer") if old else (
        "Document", "QAPairs", "QAPair", "Question", "Answer"
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    paths = []
    for one in questions:
        root, pairs, pair = names[:3]
        asked, answered = names[3:]
        _, stem, number = one.id.split("/")
        path = folder / f"{stem}.xml"
        path.write_text(
            f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}><!-- a comment --><{pairs}><{pair} pid="{number}">'
            f'<{asked} qtype="{one.subject}">{escape(one.text)}</{asked}>'
            f"<{answered}>\n {escape(one.answer)} </{answered}></{pair}></{pairs}></{root}>"
        )
        paths.append(path)
    return paths


def medquad_row(one: Question) -> dict[str, Any]:
    """MedQuAD as JSON lines."""
    return {"id": one.id, "focus": "X", "type": one.subject, "question": one.text, "answer": one.answer}
