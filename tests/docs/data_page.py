"""`docs/data.md`: every file that a user may open, column by column, from the classes of the rows.

A field's comment is its meaning, the class's docstring is that of the file, and a unit stands in brackets at a
comment's end. A field without a comment takes that of the field of the same name in `Record`; where there is none
either, the page cannot be written: whoever adds a column says what it means, where the column is.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, get_type_hints

import pyarrow as pa

import tokenizer.megatron
import tokenizer.packed_documents
import tokenizer.sources
from corpus.assemble.changes import Change
from corpus.assemble.contamination import Contamination
from corpus.assemble.decide import SHARD_COLUMNS, Document
from corpus.assemble.id_conflicts import Conflict, ConflictKind
from corpus.assemble.personal import PersonalData
from corpus.assemble.shards import Decision
from corpus.assemble.tags import Tag
from corpus.fetch.pmc.metadata_rows import Detail
from corpus.foreign.rows import BadLine, LineDecision, LineReject
from corpus.metadata import TABLES
from corpus.ncbi.archives.article_store import IndexRow
from corpus.passages.rows import Passage, RuleCount
from corpus.pile.side_table import PileRow
from corpus.publish.attribution import Attribution
from corpus.qa.predictions import Prediction
from corpus.qa.question import Question
from corpus.qa.silver.candidate import SilverDrop
from corpus.qa.sources import DroppedRow, QuestionDrop
from corpus.qa.store import Fold
from corpus.reasons import DropReason, FetchDrop, PileDrop, RejectReason, TextDrop
from corpus.records import (
    AbstractPart,
    Account,
    BackPart,
    Block,
    BlockKind,
    Cell,
    Float,
    Kind,
    Link,
    Record,
    Reject,
    Source,
)
from corpus.stage.lock import RunFacts
from corpus.stage.manifest import Books, Input, Manifest, Part
from corpus.storage.schema import schema_of
from corpus.text.section_kinds import Section
from tokenizer.report import Fertility, Report, WordSplit
from train.checkpoint.skipped import SkippedRows
from train.checkpoint.store import Checkpoint, FileHash, ListedCheckpoint
from train.job import Job
from train.loop.metrics import Metrics, Timing
from train.qa.answer_report import AnswersReport
from train.qa.context import Evidence
from train.qa.served_answers import ServedAnswer
from train.qa.writing import WrittenAnswer

HEAD = """# The files, column by column

Every file that you may want to open, by the verb that writes it. Written by `make docs` from the classes of the rows;
do not edit it here, but the comments of their fields. What a word means stands in the [glossary](glossary.md).

- Parquet files are zstd-compressed, have page checksums, and open with pyarrow, pandas, polars, DuckDB or Spark.
- Text is UTF-8. A text that is not known is `""`; the column *null* says where null can stand.
- Take the names of files from `manifest.json`, never from the directory: a file that it does not list is not finished.
- Types of Parquet columns are Arrow's, those of JSON are JSON's. `list<X>` and `map<X>` hold rows of the table X below.
"""


@dataclass(frozen=True, kw_only=True)
class File:
    """One kind of file: its path below the stage's output, and the classes of its rows, or prose in their place."""

    path: str
    rows: Sequence[type] = ()
    columns: Sequence[str] = ()  # of the first class; all when empty
    prose: str = ""
    parquet: bool = True


_WRITTEN_JOB = tuple(name for name in get_type_hints(Job) if name != "output")  # where the file lies itself
VERBS: dict[str, tuple[File, ...]] = {
    "corpuscle fetch pubmed": (
        File(path="baseline/*.xml.gz, updatefiles/*.xml.gz", prose="NLM's files as they are, each with its `.md5`."),
    ),
    "corpuscle fetch pmc": (
        File(
            path="shards/pmc-*.tar.gz",
            prose="Articles: `PMC1.1/PMC1.1.json` and `PMC1.1/PMC1.1.xml` of each, one gzip member an article.\n"
            "`tar xzf` unpacks all of them; the index says where one lies.",
        ),
        File(path="index/pmc-*.parquet", rows=(IndexRow,)),
        File(path="metadata/pmc-*.parquet", rows=(Detail,)),
        File(
            path="fetch.jsonl",
            prose="A line an event, appended: `time` (UTC, ISO 8601), `event` (phase, retry, gave_up, dropped, …) and\n"
            "what belongs to it: `kind` of the fault, `url`, `detail`, `attempt`. `fetch pubmed` writes it too.",
        ),
    ),
    "corpuscle extract": (
        File(
            path="records/<input>.parquet",
            rows=(Record, AbstractPart, Block, Float, Cell, BackPart, Link, Account),
        ),
        File(path="pile/<input>.parquet (with --pile)", rows=(PileRow,)),
        *(
            File(path=f"metadata/{name}/<input>.parquet{'' if number else ' (with --metadata)'}", rows=(row,))
            for number, (name, row) in enumerate(TABLES.items())
        ),
        File(path="rejects/<input>.parquet", rows=(Reject,)),
        File(path="receipts.json", prose="What each input gave, for `extract --update`; books as in `manifest.json`."),
    ),
    "corpuscle assemble": (
        File(
            path="train/part-*.parquet, validation/part-*.parquet, test/part-*.parquet",
            rows=(Document, Section),
            columns=SHARD_COLUMNS,
        ),
        File(path="the same with --duplicates tag: columns behind those", rows=(Tag,)),
        File(path="decisions/part-*.parquet", rows=(Decision,)),
        File(path="id_conflicts.parquet", rows=(Conflict,)),
        File(
            path="changes/<new>-from-<old>.parquet (after --update; of any two corpora by `corpuscle diff --feed`)",
            rows=(Change,),
        ),
        File(path="contamination/part-*.parquet (with --evaluation)", rows=(Contamination,)),
        File(path="personal/part-*.parquet (with --pii)", rows=(PersonalData,)),
    ),
    "corpuscle dedup": (
        File(
            path="data/<input>",
            prose="The input without what was left out: in its form, its lines and rows as they were. With\n"
            "`--duplicates tag` all of it, and in each document the fields `duplicate` (why it would be left out,\n"
            'else `""`), `cluster`, `cluster_size`, `cluster_rank` and `cluster_score` (null where `duplicate` is\n'
            '`""`), as `reason` and the others in `decisions/` say them.',
        ),
        File(path="decisions/<input>.parquet", rows=(LineDecision,)),
        File(path="rejects/<input>.parquet, rejects/<input>.ids.parquet (where there are some)", rows=(BadLine,)),
    ),
    "corpuscle passages": (
        File(path="passages.parquet", rows=(Passage, RuleCount)),
        File(path="passages.md", prose="The first 200 of them for people, and how many of these each rule takes."),
    ),
    "corpuscle tokenizer": (
        File(
            path="tokenizer.json, tokenizer_config.json, special_tokens_map.json",
            prose="A byte-level BPE as `tokenizers` and `transformers.AutoTokenizer` load it.\n"
            "`<|endoftext|>` is the last id.",
        ),
        File(path="report.json (report.md says the same)", rows=(Report, Fertility, WordSplit), parquet=False),
    ),
    "corpuscle pack": (
        File(path="<split>-00000.bin, <split>-00000.idx", prose=inspect.getdoc(tokenizer.megatron) or ""),
        File(
            path="<split>-00000.src",
            prose=f"{inspect.getdoc(tokenizer.sources)}\nSources: "
            + ", ".join(f"{code} {name}" for code, name in enumerate(tokenizer.sources.SOURCES)),
        ),
        File(path="<split>-00000.docs", prose=inspect.getdoc(tokenizer.packed_documents) or ""),
        File(path="tokenizer.json, …", prose="Copied from the tokenizer, so that training needs this directory alone."),
    ),
    "corpuscle train": (
        File(path="metrics.jsonl", rows=(Metrics,), parquet=False),
        File(path="timing.jsonl", rows=(Timing,), parquet=False),
        File(
            path="skipped.json",
            rows=(SkippedRows,),
            prose="Only of a run that went back (`on_spike: skip`). An object: `skipped`, a list of the rows below.",
            parquet=False,
        ),
        File(path="job.json", rows=(Job,), columns=_WRITTEN_JOB, parquet=False),
        File(
            path="checkpoints/latest.json",
            rows=(ListedCheckpoint,),
            prose="An object: `checkpoints`, a list of the rows below, oldest first, and `sha256` of that list.",
            parquet=False,
        ),
        File(path="checkpoints/step-*/checkpoint.json", rows=(Checkpoint, FileHash), parquet=False),
        File(
            path="checkpoints/step-*/model.safetensors, deepspeed/",
            prose="The fp32 weights by their names, and DeepSpeed's own shards, which are pickles:\n"
            "`corpuscle train --resume` loads them only after their hashes were checked.",
        ),
        File(path="tensorboard/", prose="The same numbers as TensorBoard events."),
    ),
    "corpuscle export": (
        File(
            path="folded/, faithful/, gguf/, ct2-*/, README.md",
            prose="Models in the forms of transformers, llama.cpp and CTranslate2, and their card;\n"
            "see [train.md](train.md).",
        ),
    ),
    "corpuscle publish": (
        File(
            path="data/<split>/<class>-*.parquet, README.md, NOTICE, croissant.json, …",
            prose="Texts as in `assemble`, in a file for each class of licences: commercial, noncommercial, other;\n"
            "card, papers and hashes. See [publish.md](publish.md).",
        ),
        File(path="attribution.parquet", rows=(Attribution,)),
    ),
    "corpuscle qa questions": (
        File(path="questions.parquet", rows=(Question,)),
        File(path="folds.parquet", rows=(Fold,)),
        File(path="dropped.parquet", rows=(DroppedRow,)),
        File(
            path="evaluation.jsonl",
            prose="The questions as `corpuscle assemble --evaluation` looks for them in a corpus, a line each:\n"
            "`id` is `task/id`; then its texts and `pmids`.",
        ),
    ),
    "corpuscle qa (predictions)": (
        File(path="<setting>/predictions.parquet", rows=(Prediction,)),
        File(path="served.parquet", rows=(ServedAnswer,)),
        File(path="evidence.parquet", rows=(Evidence,)),
    ),
    "corpuscle qa answer": (
        File(path="answers.parquet", rows=(WrittenAnswer,)),
        File(path="report.json", rows=(AnswersReport,), parquet=False),
    ),
    "every verb that is a stage": (
        File(
            path="manifest.json",
            rows=(Manifest, Part, Books, Input),
            prose="One object with the fields below, and `sha256`, the hash of all of them.",
            parquet=False,
        ),
        File(path="run.json", rows=(RunFacts,), parquet=False),
        File(
            path="events.jsonl",
            prose="A line an event, appended by each run that did something: `time` (UTC, ISO 8601), `event` (start,\n"
            "planned, progress, message, end, failure) and what belongs to it. Of an end `fingerprint`, `seconds` and\n"
            "`books`; of a failure `code`, `error` and `cause`.",
        ),
    ),
}
WORDS: dict[str, type[StrEnum]] = {
    "Source": Source,
    "Kind of a record": Kind,
    "Kind of a block": BlockKind,
    "Reason of an article that is not fetched": FetchDrop,
    "Reason of a reject": RejectReason,
    "Reason of a reject of `dedup`": LineReject,
    "Reason of a decision": DropReason,
    "Reason of The Pile's scripts": PileDrop,
    "Reason of a document without a share in tokenizer or tokens": TextDrop,
    "Kind of an id conflict": ConflictKind,
    "Reason of a dropped row of questions": QuestionDrop,
    "Reason of a paper without a silver question": SilverDrop,
}
NO_MEANING = "say in a comment on its line what it means"
_UNIT = re.compile(r"\s*\[([^\[\]]+)\]$")


def page() -> str:
    """Return the page; raises ValueError for a column without a meaning."""
    parts = [HEAD]
    for verb, files in VERBS.items():
        parts.append(f"## {'`' + verb + '`' if verb.startswith('corpuscle') else verb.capitalize()}\n")
        parts += [_file(file) for file in files]
    parts.append("## Words that columns hold\n")
    parts += [_words(title, words) for title, words in WORDS.items()]
    return "\n".join(parts)


def meanings(row: type) -> dict[str, str]:
    """Return what each field of a class means, from the comment on its line; "" where there is none."""
    source = textwrap.dedent(inspect.getsource(row))
    lines = source.splitlines()
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for node in definition.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name):
            end = node.end_col_offset or 0
            # ast counts bytes, and a comment may follow letters beyond ASCII.
            behind = lines[(node.end_lineno or 1) - 1].encode()[end:].decode()
            found[target.id] = behind.partition("#")[2].strip().partition("  # type:")[0]
    return found


def columns(file: File, row: type) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (name, type, null, unit, meaning) of each column; raises ValueError for one without a meaning."""
    own, others = meanings(row), meanings(Record)
    wanted = file.columns if row is file.rows[0] and file.columns else get_type_hints(row)
    for name in wanted:
        meaning = own.get(name) or others.get(name, "")
        unit, meaning = _UNIT.search(meaning), _UNIT.sub("", meaning)
        if not meaning:
            raise ValueError(f"{row.__module__}.{row.__name__}.{name}: {NO_MEANING}")
        kind, null = _parquet_type(row, name) if file.parquet else _json_type(get_type_hints(row)[name])
        yield name, kind, null, unit[1] if unit else "", meaning


def _file(file: File) -> str:
    lines = [f"### `{file.path}`\n"]
    if file.prose:
        indented = "\n    " in file.prose
        lines += ["```text", file.prose, "```\n"] if indented else [f"{file.prose}\n"]
    for row in file.rows:
        heading = [] if row is file.rows[0] else [f"#### {row.__name__}\n"]
        about = " ".join((inspect.getdoc(row) or "").partition("\n\n")[0].split())
        lines += [*heading, f"{_html(about)}\n", "| column | type | null | unit | meaning |", "|---|---|---|---|---|"]
        for name, kind, null, unit, meaning in columns(file, row):
            lines.append(f"| `{name}` | {_linked(kind, file)} | {null} | {unit} | {_cell(meaning)} |")
        lines.append("")
    return "\n".join(lines)


def _words(title: str, words: type[StrEnum]) -> str:
    about = " ".join((inspect.getdoc(words) or "").partition("\n\n")[0].split())
    notes = meanings(words)
    if silent := [word.name for word in words if not notes[word.name]]:
        raise ValueError(f"{words.__module__}.{words.__name__}.{silent[0]}: {NO_MEANING}")
    lines = [f"### {title}\n", f"{_html(about)}\n", "| word | meaning |", "|---|---|"]
    lines += [f"| `{word.value}` | {_cell(notes[word.name])} |" for word in words]
    return "\n".join([*lines, ""])


def _parquet_type(row: type, name: str) -> tuple[str, str]:
    field = _schema(row).field(name)
    return _arrow_text(field.type, get_type_hints(row)[name]), "yes" if field.nullable else ""


@cache
def _schema(row: type) -> pa.Schema:
    return schema_of(row)


def _arrow_text(kind: pa.DataType, hint: Any) -> str:
    """Return an Arrow type for reading; the rows inside lists by the name of their class."""
    if pa.types.is_list(kind):
        return f"list<{_arrow_text(kind.value_type, hint.__args__[0])}>"
    return hint.__name__ if pa.types.is_struct(kind) else str(kind)


def _json_type(hint: Any) -> tuple[str, str]:
    """Return how JSON writes a type, and whether it may be null."""
    names = {str: "string", int: "integer", float: "number", bool: "boolean", Any: "any"}
    arguments = getattr(hint, "__args__", ())
    if type(None) in arguments:
        return _json_type(arguments[0])[0], "yes"
    origin = getattr(hint, "__origin__", None)
    if origin is tuple:
        return f"list<{_json_type(arguments[0])[0]}>", ""
    if origin is not None:
        return f"map<{_json_type(arguments[1])[0]}>", ""
    return names.get(hint, getattr(hint, "__name__", re.sub(r"\w+\.", "", str(hint)))), ""


def _linked(kind: str, file: File) -> str:
    """Return a type with the names of the file's rows as links to their tables."""
    names = "|".join(row.__name__ for row in file.rows[1:]) or "(?!)"
    return re.sub(rf"\b({names})\b", lambda found: f"[{found[1]}](#{found[1].lower()})", _cell(kind))


def _cell(text: str) -> str:
    """Return text for a cell of a Markdown table."""
    return _html(text).replace("|", "\\|")


def _html(text: str) -> str:
    """Return text in which no < begins a tag; what stands in backticks is code and stays."""
    pieces = text.split("`")
    return "`".join(piece if number % 2 else piece.replace("<", "&lt;") for number, piece in enumerate(pieces))
