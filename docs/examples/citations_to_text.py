"""PubMed files to JSON lines: id, year, language and text of every citation that has an abstract."""

import json
import sys

from corpus.ncbi.pubmed import read_pubmed
from corpus.records import Record
from corpus.text import detect_language, render


def main(paths: list[str]) -> None:
    """Print a line a citation; what could not be read goes to standard error."""
    for path in paths:
        for item in read_pubmed(path):
            if not isinstance(item, Record):
                print(f"{item.file} at byte {item.offset}: {item.reason}, {item.detail}", file=sys.stderr)
            elif item.abstracts:
                text = render(item)
                row = {"id": item.doc_id, "year": item.year, "language": detect_language(text), "text": text}
                print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1:])
