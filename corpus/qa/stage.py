"""Verb `qa questions`: files as published to one directory of questions, counted and checked.

What is read is held against the published counts before anything is written; the overview goes into the manifest.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from corpus import storage
from corpus.errors import DataError, UsageError, list_problems
from corpus.qa.overview import look_over
from corpus.qa.published import differences
from corpus.qa.question import Question
from corpus.qa.reading import SplitIds
from corpus.qa.recognise import read_file
from corpus.qa.sources import DroppedRow, find_files, open_file
from corpus.qa.splits import assign_splits
from corpus.qa.store import write_questions
from corpus.stage.manifest import Input, Manifest
from corpus.stage.progress import progress, say


def make_questions(paths: Sequence[str], output: str, *, partial: bool = False) -> Manifest:
    """Read files and folders of published question sets and commit their questions in `output`.

    Raises UsageError for a file of no known form, DataError when a set has another number of questions or of some
    label than published, unless `partial`.
    """
    read = _read_all(paths)
    questions, folds, said = assign_splits(read.questions, read.splits)
    for line in said:
        say(line)
    for line in _dropped_lines(read.dropped):
        say(line)
    wrong = differences(questions, read.shapes)
    if wrong and not partial:
        raise DataError(
            list_problems(wrong) + "\nThe sets are not as published: give all their files, or add --partial to go on"
        )
    overviews, overlaps = look_over(questions)
    summary = {
        "shapes": sorted(set(read.shapes.values())),
        "splits": [asdict(one) for one in overviews],
        "overlaps": [asdict(one) for one in overlaps],
        "not_as_published": wrong,
        "how_split": said,
    }
    inputs = [_input(path, read.digests) for path in dict.fromkeys(paths)]
    return write_questions(questions, output, folds=folds, dropped=read.dropped, inputs=inputs, summary=summary)


def _dropped_lines(dropped: Sequence[DroppedRow]) -> list[str]:
    """Return a line for each reason, with the first place."""
    counts = Counter(row.reason for row in dropped)
    first = {row.reason: row for row in reversed(dropped)}
    return [
        f"dropped {reason.value}: {count:,}, first {first[reason].file}:{first[reason].line}: {first[reason].what}"
        for reason, count in counts.most_common()
    ]


def _read_all(paths: Sequence[str]) -> "_AllRead":
    files, passed = find_files(tuple(paths))
    if passed:
        say(f"passed over, for their names: {', '.join(passed[:5])}" + (", …" if len(passed) > 5 else ""))
    read = _AllRead()
    with progress("qa questions", len(files)) as shown:
        for path in files:
            source = open_file(path)
            reading = read_file(source)
            read.questions += reading.questions
            read.dropped += reading.dropped
            read.splits += [reading.split] if reading.split is not None else []
            read.shapes[path], read.digests[path] = reading.shape, source.sha256
            shown.advance()
    if not read.questions:
        raise UsageError(f"{', '.join(paths)}: no question in {len(files)} files, {len(read.dropped)} rows dropped")
    return read


@dataclass(kw_only=True, slots=True)
class _AllRead:
    """What all files gave."""

    questions: list[Question] = field(default_factory=list)
    dropped: list[DroppedRow] = field(default_factory=list)
    splits: list[SplitIds] = field(default_factory=list)
    shapes: dict[str, str] = field(default_factory=dict)  # by path
    digests: dict[str, str] = field(default_factory=dict)  # by path


def _input(path: str, digests: dict[str, str]) -> Input:
    """Return a file or folder that was given, by the content of the files in it."""
    inside = path.rstrip("/") + "/"
    below = {name.removeprefix(path): one for name, one in digests.items() if name == path or name.startswith(inside)}
    content = "".join(f"{digest} {name}\n" for name, digest in sorted(below.items()))
    return Input(name=storage.readable_name(path), fingerprint=hashlib.sha256(content.encode()).hexdigest())
