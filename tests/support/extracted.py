"""What became of the articles of a task, without their XML."""

from collections.abc import Iterator

from corpus.extract.articles import read_articles_xml
from corpus.extract.inputs import InputTask
from corpus.records import Record, Reject


def read_articles(task: InputTask) -> Iterator[Record | Reject]:
    """Yield the records and rejects of a JATS task."""
    return (item for item, _ in read_articles_xml(task))
