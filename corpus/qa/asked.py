"""Questions that somebody asks: a file of JSON objects, or of a question a line, to `Question`s without known answers.

An object has `question` (or `text`), and may have `id`, `context`, and `options`: a list, or an object by letters as
MedQA's. Answers that it has are not read: nobody scores them here.
"""

from collections.abc import Mapping
from typing import Any, Final

from corpus.errors import UsageError
from corpus.qa.question import Question
from corpus.qa.sources import open_file

_EXPECTED: Final = (
    'expected JSON objects such as {"question": "…", "options": ["…", "…"], "context": "…"}, or a question a line'
)
TASK: Final = "asked"


def asked_question(
    text: str, *, options: tuple[str, ...] = (), context: str = "", own: str = "1", file: str = "", line: int = 0
) -> Question:
    """Return a question as somebody asks it."""
    return Question(
        id=own, task=TASK, split="test", text=text.strip(), context=context, options=options, file=file, line=line
    )


def read_asked(path: str) -> list[Question]:
    """Return the questions of a file, in its order; raises UsageError, with the place, for what is no question."""
    source = open_file(path)
    if source.bad:
        raise UsageError(f"{path}:{source.bad[0].line}: {source.bad[0].what}; {_EXPECTED}")
    if source.kind == "lines":
        return [asked_question(text, own=str(line), file=path, line=line) for line, text in source.rows]
    rows = source.rows if source.kind == "objects" else ((1, source.document),) if source.kind == "document" else ()
    if not rows:
        raise UsageError(f"{path}: holds no question; {_EXPECTED}")
    return [_asked(value, path, line) for line, value in rows]


def _asked(value: Mapping[str, Any], path: str, line: int) -> Question:
    text = value.get("question", value.get("text"))
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{path}:{line}: no text under `question`; {_EXPECTED}")
    context = value.get("context") or ""
    if not isinstance(context, str):
        raise UsageError(f"{path}:{line}: `context` is not a text; {_EXPECTED}")
    options = value.get("options") or ()
    listed = tuple(options.values()) if isinstance(options, dict) else tuple(options)
    if isinstance(options, str) or not all(isinstance(one, str) and one.strip() for one in listed) or len(listed) == 1:
        raise UsageError(f"{path}:{line}: `options` are not two texts or more; {_EXPECTED}")
    own = str(value.get("id") or line)
    return asked_question(text, options=listed, context=context, own=own, file=path, line=line)
