"""JSON that others may have written, cut or mended: bytes of a file in, a checked value or one line of what is wrong.

The one home for reading untrusted JSON. Python's reader takes what no two programs agree on (NaN, a key given twice,
half a surrogate pair) and fails in its own words on the rest (a hundred thousand brackets); here all of it is a
`BadJsonError`, whose text fits after the file's name.
"""

import json
import math
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import PurePosixPath
from types import UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from corpus.errors import CorpuscleError, CorruptError
from corpus.storage.files import exists, is_remote, open_read

T = TypeVar("T")
MOST_DEEP: Final = 100  # levels of lists and objects; ours have five
MOST_DIGITS: Final = 40  # of a number
_LONGEST_NAME: Final = 255  # bytes, of all file systems in use
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')  # or a string, which may hold some
_INT64: Final = 1 << 63
_WORDS: Final = {
    int: "a whole number", str: "a text", float: "a number", bool: "true or false", dict: "an object", list: "a list",
    type(None): "null",
}  # fmt: skip


class BadJsonError(ValueError):
    """Text that is no JSON, or JSON that is not what was expected; the text says what and where."""


def parse_json(raw: bytes, *, nan: bool = False, paths: bool = False) -> Any:
    """Return the value of a JSON text in UTF-8; raises BadJsonError.

    `nan` allows the numbers that JSON has not, `paths` what Python makes of the bytes of a path that are no UTF-8.
    """
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=None if nan else _finite,
            parse_constant=None if nan else _finite,
        )
        _check_depth(value)
        if _HALF_PAIR.search(text):
            json.dumps(value, ensure_ascii=False).encode(errors="surrogateescape" if paths else "strict")
    except UnicodeDecodeError as error:
        raise BadJsonError(f"byte {error.start} is not UTF-8") from error
    except UnicodeEncodeError as error:
        raise BadJsonError("a text holds half of a surrogate pair") from error
    except RecursionError as error:
        raise BadJsonError(_too_deep()) from error
    except json.JSONDecodeError as error:
        what = "empty" if not raw.strip() else _too_deep() if _opens_deep(text) else str(error)
        raise BadJsonError(what) from error
    return value


def read_json(
    path: str, remedy: str, *, error: type[CorpuscleError] = CorruptError, nan: bool = False, paths: bool = False
) -> Any:
    """Return the value of a JSON file, read as by `parse_json`; raises `error` with path, fault and the `remedy`."""
    if not is_remote(path) and exists(path) and not os.path.isfile(path):
        raise error(f"{path}: not a regular file, where JSON is expected; {remedy}")
    with open_read(path) as source:
        raw = source.read()
    try:
        return parse_json(raw, nan=nan, paths=paths)
    except BadJsonError as bad:
        raise error(f"{path}: not JSON ({bad}); {remedy}") from bad


def build(kind: type[T], content: Any, optional: Collection[str] = ()) -> T:
    """Return the dataclass whose fields a JSON object holds, each of its type; `optional` may be left out.

    Raises BadJsonError that names the field.
    """
    built: T = _build(kind, content, "", optional)
    return built


def check_inside(name: str) -> str:
    """Return a path that stays in the directory that names it; raises BadJsonError for one that leaves it."""
    odd = not name or "\0" in name or "://" in name or name.startswith(("/", "~"))
    parts = PurePosixPath(name).parts
    if odd or not parts or ".." in parts or max(len(part.encode()) for part in parts) > _LONGEST_NAME:
        raise BadJsonError(f"names the file {name[:200]!r}, which is not inside the directory")
    return name


def read_names(path: str, remedy: str) -> list[str]:
    """Return the paths that a JSON file lists, relative to a directory that none leaves; raises CorruptError."""
    names = read_json(path, remedy)
    try:
        return [check_inside(name) for name in build(_Names, {"names": names}).names]
    except BadJsonError as bad:
        raise CorruptError(f"{path}: {bad}; {remedy}") from bad


def parse_numbers(lines: Iterable[bytes], path: str, remedy: str) -> list[dict[str, Any]]:
    """Return JSON objects, a line each, of a whole `step` and other numbers, NaN too; raises CorruptError."""
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            value = parse_json(line, nan=True)
            if not isinstance(value, dict) or type(value.get("step")) is not int:
                raise BadJsonError("no object with a whole `step`")
            if odd := [name for name, one in value.items() if type(one) not in (int, float)]:
                raise BadJsonError(f"{odd[0][:40]} is no number")
        except BadJsonError as bad:
            raise CorruptError(f"{path}:{number}: {bad}; {remedy}") from bad
        found.append(value)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Names:
    names: tuple[str, ...]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadJsonError(f"the key {twice[:100]!r} is given twice")
    return found


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise BadJsonError(f"the number {text[:20]}… has {len(text):,} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadJsonError(f"{text[:20]} is no number that JSON has")
    return number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_DEEP):
        held = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, (dict, list))]
        level = [inner for values in held for inner in values]
        if not level:
            return
    raise BadJsonError(_too_deep())


def _opens_deep(text: str) -> bool:
    """Say of a text that is no JSON whether it opens too many brackets; Python 3.13 does not give up on those."""
    depth = 0
    for found in _BRACKET.finditer(text):
        depth += (found[0] in "[{") - (found[0] in "]}")
        if depth > MOST_DEEP:
            return True
    return False


def _too_deep() -> str:
    return f"nested more than {MOST_DEEP} deep"


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _build(kind: Any, content: Any, place: str, optional: Collection[str]) -> Any:
    """Return a value of a type: a dataclass, `tuple[T, ...]`, a mapping, a union or a plain type."""
    if kind is Any:
        return content
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if content is None:
            return None
        (kind,) = (choice for choice in inner if choice is not type(None))
        return _build(kind, content, place, optional)
    if origin is tuple:
        _expect(list, content, place)
        return tuple(_build(inner[0], item, f"{place}[{number}]", optional) for number, item in enumerate(content))
    if origin is not None:  # a mapping from names
        _expect(dict, content, place)
        return {name: _build(inner[1], item, _below(place, name), optional) for name, item in content.items()}
    if is_dataclass(kind):
        return _dataclass(kind, content, place, optional)
    _expect(kind, content, place)
    return content


def _dataclass(kind: Any, content: Any, place: str, optional: Collection[str]) -> Any:
    _expect(dict, content, place)
    names = [field.name for field in fields(kind)]
    if unknown := sorted(content.keys() - set(names)):
        raise BadJsonError(f"{_below(place, unknown[0])[:100]}: a field that this version does not know")
    if missing := [name for name in names if name not in content and name not in optional]:
        raise BadJsonError(f"{_below(place, missing[0])}: missing")
    hints = _hints(kind)
    return kind(**{name: _build(hints[name], value, _below(place, name), optional) for name, value in content.items()})


def _expect(kind: type, content: Any, place: str) -> None:
    right = type(content) is kind or (kind is float and type(content) is int)
    if right and (type(content) is not int or -_INT64 <= content < _INT64):
        return
    found = _WORDS.get(type(content), type(content).__name__)
    raise BadJsonError(f"{place or 'the whole'}: expected {_WORDS.get(kind, kind.__name__)}, found {found}")


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
