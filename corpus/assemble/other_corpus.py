"""Another corpus, against which this one is assembled: documents in Parquet or JSON lines, read where they lie.

A directory is a result of `assemble`, whose shards are read, or holds files of the names below at any depth. Nothing is
copied: what comes of a document are bucket rows under a key that names its place (`corpus.records.other_keys`), and
its text again where it is a candidate. The files are an input of the stage by their contents and their names, which say
the order of the documents; where the directories lie says nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
import pyarrow as pa

from corpus import storage
from corpus.assemble.config import AssembleConfig
from corpus.errors import CorruptError, RetryError, UsageError
from corpus.stage.manifest import SPLITS, Input, has_manifest, read_manifest
from corpus.storage import parquet
from corpus.storage.lines import FORMS, PARQUET, is_data_file, line_blocks

ID_NAMES: Final = ("doc_id", "id")  # where no column is named
PREFIX: Final = "against:"  # before an id of another corpus in a decision
BATCH_ROWS: Final = 4096
BATCH_BYTES: Final = 16 << 20
_LINE_BYTES: Final = 1500  # of a document in JSON lines, about, packed or not: only how the work is cut goes by it
_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherFile:
    """One file of another corpus."""

    path: str
    name: str  # relative to its directory
    digest: str  # SHA-256 of its bytes
    version: str  # of `storage.version`: another one tells that it was written again
    num_docs: int  # as its footer says; of JSON lines about


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherTexts:
    """Some documents of a file, one after the other."""

    first_row: int
    texts: pa.Array  # large_string[num_docs], null where there is none
    ids: tuple[str, ...]  # [num_docs]


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherCorpus:
    """The files of all directories, by name and content, and which columns are read."""

    files: tuple[OtherFile, ...]
    text: str
    id: str | None

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Return the corpus as an input of the stage, by one hash; none without files."""
        if not self.files:
            return ()
        stated = [self.text, self.id or "", *(word for file in self.files for word in (file.name, file.digest))]
        return (Input(name="against", fingerprint=hashlib.sha256(msgspec.json.encode(stated)).hexdigest()),)

    @property
    def num_docs(self) -> int:
        """Return about how many documents it has."""
        return sum(file.num_docs for file in self.files)

    def read(self, number: int) -> Iterator[OtherTexts]:
        """Yield the documents of a file, some at a time.

        Raises UsageError for what cannot be read, RetryError for a file that is not the one found.
        """
        file = self.files[number]
        _check_version(file)
        yield from (_parquet_texts if file.name.endswith(PARQUET) else _line_texts)(file, self.text, self.id)
        _check_version(file)


NO_OTHER: Final = OtherCorpus(files=(), text="text", id=None)


def find_other(config: AssembleConfig, *, output: str | None = None) -> OtherCorpus:
    """Return the corpus of `--against`, its files hashed, without files where none is given.

    Raises UsageError for a directory without files to read, and for the output itself.
    """
    if config.against and config.profile == "pile":
        said = "profile pile removes no duplicates, as The Pile did not; use --profile clean"
        raise UsageError(f"--against {config.against[0]}: {said}")
    return other_corpus_of(config.against, text=config.against_text, name=config.against_id, output=output)


def other_corpus_of(bases: Sequence[str], *, text: str, name: str | None, output: str | None) -> OtherCorpus:
    """Return the corpus of some directories; text and name: the columns or keys of texts and ids. Raises UsageError."""
    files: list[OtherFile] = []
    for base in bases:
        if output is not None and (base.rstrip("/") + "/").startswith(output.rstrip("/") + "/"):
            raise UsageError(f"--against {base}: is the output itself; give another directory to --output")
        files += _files_of(base)
    ordered = sorted(files, key=lambda file: (file.name, file.digest))
    return OtherCorpus(files=tuple(ordered), text=text, id=name)


def stated_other(config: AssembleConfig, inputs: Sequence[Input], output: str) -> OtherCorpus:
    """Return the corpus that a stage states as its input; raises RetryError when it has changed since."""
    return check_stated(find_other(config, output=output), inputs)


def check_stated(other: OtherCorpus, inputs: Sequence[Input]) -> OtherCorpus:
    """Return the corpus, which is among the inputs that a stage states; raises RetryError where it is not."""
    if not set(other.inputs) <= set(inputs):
        raise RetryError("--against: changed after the start; nothing was committed, run the same command again")
    return other


def _files_of(base: str) -> Iterator[OtherFile]:
    """Yield the files of a directory: texts of a result of ours, else all whose names say that they can be read."""
    if has_manifest(base) and (manifest := read_manifest(base)).stage in ("assemble", "dedup"):
        parts = [part for part in manifest.parts if part.role in (*SPLITS, "data")]
        for part in parts:
            path = storage.join(base, part.path)
            version = storage.version(path)
            yield OtherFile(path=path, name=part.name, digest=part.sha256, version=version, num_docs=part.rows)
        return
    names = [name for name in storage.walk_files(base) if is_data_file(name)]
    if not names:
        what = "holds no file to read" if storage.exists(base) else "there is no such directory"
        raise UsageError(f"--against {base}: {what}; expected a directory with {FORMS}")
    for name in names:
        path = storage.join(base, name)
        yield _file(path, storage.readable(name), storage.version(path))


@lru_cache(maxsize=4096)
def _file(path: str, name: str, version: str) -> OtherFile:
    """Return what is known of a file, read once in a process for as long as it does not change."""
    with _readable(path):
        rows = parquet.num_rows(path) if name.endswith(PARQUET) else 1 + storage.size(path) // _LINE_BYTES
        return OtherFile(path=path, name=name, digest=storage.sha256_file(path), version=version, num_docs=rows)


def _check_version(file: OtherFile) -> None:
    if storage.version(file.path) != file.version:
        said = "changed after the start; nothing was committed, run the same command again"
        raise RetryError(f"--against: {file.path}: {said}")


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Raise UsageError, naming the file, where it cannot be read in the block."""
    try:
        yield
    except (OSError, pa.ArrowException, CorruptError) as error:
        form = "Parquet" if path.endswith(PARQUET) else "JSON lines"
        said = str(error.__cause__ or error).partition("\n")[0]
        raise UsageError(f"--against: {path}: not readable as {form} ({said}); mend it or take it away") from error


def _parquet_texts(file: OtherFile, text: str, name: str | None) -> Iterator[OtherTexts]:
    with _readable(file.path):
        columns = parquet.column_names(file.path)
        if missing := [one for one in (text, name) if one is not None and one not in columns]:
            raise _missing(file.path, missing[0], columns, option="text" if missing[0] == text else "id")
        own = name or next((one for one in ID_NAMES if one in columns), None)
        first = 0
        wanted = list(dict.fromkeys([text, *([own] if own else [])]))
        for batch in parquet.iter_batches(file.path, wanted, BATCH_ROWS, batch_bytes=BATCH_BYTES):
            texts = batch.column(text)
            if not _is_text(texts.type):
                raise UsageError(f"--against: {file.path}: column {text} is {texts.type}, not text; see --against-text")
            ids = batch.column(own).to_pylist() if own else [None] * batch.num_rows
            yield _texts(file, first, texts.cast(pa.large_string()), ids)
            first += batch.num_rows


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _line_texts(file: OtherFile, text: str, name: str | None) -> Iterator[OtherTexts]:
    first = held = 0
    texts: list[str | None] = []
    ids: list[Any] = []
    for number, line in enumerate(_lines(file.path), start=1):
        if not line.strip():
            continue
        value = _parsed(file.path, number, line)
        for key, option in ((text, "text"), (name, "id")):
            if key is not None and key not in value:
                raise _missing(f"{file.path}:{number}", key, list(value), option=option)
        if not isinstance(value[text], str | None):
            raise UsageError(f"--against: {file.path}:{number}: {text} is no text; see --against-text")
        texts.append(value[text])
        ids.append(value[name] if name else next((value[one] for one in ID_NAMES if one in value), None))
        held += len(line)
        if len(texts) == BATCH_ROWS or held >= BATCH_BYTES:
            yield _texts(file, first, pa.array(texts, pa.large_string()), ids)
            first += len(texts)
            held, texts, ids = 0, [], []
    if texts:
        yield _texts(file, first, pa.array(texts, pa.large_string()), ids)


def _parsed(path: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        return _OBJECT.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"--against: {path}:{number}: not a JSON object ({error}); mend it or take it away") from error


def _lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, unpacked where its name says that it is packed."""
    with _readable(path):
        for block in line_blocks(path):
            yield from block.data.split(b"\n")[: len(block)]  # behind the last end nothing follows


def _texts(file: OtherFile, first: int, texts: pa.Array, ids: Sequence[Any]) -> OtherTexts:
    """Return documents with an id each: what they state, else the place."""
    named = [f"{file.name}:{first + k}" if one is None else str(one) for k, one in enumerate(ids)]
    return OtherTexts(first_row=first, texts=texts, ids=tuple(named))


def _missing(where: str, name: str, there: Sequence[str], *, option: str) -> UsageError:
    held = ", ".join(sorted(there)[:12]) or "nothing"
    return UsageError(f"--against: {where}: has no {name}, but {held}; name it by --against-{option}")
