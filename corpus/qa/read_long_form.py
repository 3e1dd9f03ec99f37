"""Questions that are answered in words: MedQuAD (XML, or JSON lines) and HealthSearchQA (a question a line)."""

import re
from typing import Any

from corpus.errors import UsageError
from corpus.ncbi.markup.parse import BadXmlError, parse
from corpus.qa.question import Question
from corpus.qa.reading import QuestionReading, RowError, read_rows, split_of, text_of
from corpus.qa.sources import QuestionDrop, QuestionFile

_PAIRS = ("qapair", "pair")  # four files of 11,276 have names of their own: <doc><qaPairs><pair><question>


def read_medquad_xml(source: QuestionFile) -> QuestionReading:
    """Read `QAPairs/QAPair[@pid]/Question[@qtype], Answer`; raises UsageError for other XML."""
    try:
        root = parse(source.document)
    except BadXmlError as error:
        raise UsageError(f"{source.path}: not well-formed XML ({error}); download it again") from error
    pairs = [pair for pair in root.iter() if _tag(pair) in _PAIRS]
    if not pairs and not any(_tag(element) == "qapairs" for element in root.iter()):
        raise UsageError(f"{source.path}: XML of <{root.tag}> without <QAPairs>; expected MedQuAD's files")
    folder, name = (["", *source.path.split("/")])[-2:]
    stem = re.sub(r"\.xml(\.gz|\.xz)?$", "", name)

    def convert(number: int, line: int, pair: Any) -> Question:
        asked, answer = (next((one for one in pair if _tag(one) == name), None) for name in ("question", "answer"))
        kind = "" if asked is None else asked.get("qtype", "")
        own = f"{folder}/{stem}/{pair.get('pid')}"
        return _pair(source.path, line, own, _words(asked), _words(answer), kind, "train")

    return read_rows(source, "medquad-xml", convert, list(enumerate(pairs, start=1)))


def read_medquad_lines(source: QuestionFile) -> QuestionReading:
    """Read `id, focus, type, question, answer`."""
    split = split_of(source.path, default="train")

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        own, kind = str(value.get("id") or f"{split}-{number:05d}"), str(value.get("type") or "")
        answer = str(value.get("answer") or "").strip()
        return _pair(source.path, line, own, text_of(value, "question").strip(), answer, kind, split)

    return read_rows(source, "medquad-lines", convert)


def _pair(path: str, line: int, own: str, text: str, answer: str, kind: str, split: str) -> Question:
    if not answer:
        raise RowError(QuestionDrop.NO_ANSWER, "the answer is empty")
    return Question(id=own, task="medquad", split=split, text=text, answer=answer, subject=kind, file=path, line=line)


def _tag(element: Any) -> str:
    return str(element.tag).lower()


def _words(element: Any) -> str:
    return "" if element is None else "".join(element.itertext()).strip()


def read_healthsearchqa(source: QuestionFile) -> QuestionReading:
    """Read a question a line; they have no answers."""

    def convert(number: int, line: int, text: str) -> Question:
        return Question(
            id=f"test-{number:05d}", task="healthsearchqa", split="test", text=text, file=source.path, line=line
        )

    return read_rows(source, "healthsearchqa", convert)
