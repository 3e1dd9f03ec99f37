"""YAML file as plain data and the place of every key, so that an error can name its line.

In: a path and `a.b=c` overrides. Out: plain data, and for each key path where it was written:
`file:line:column`, or `--set a.b`. A key given twice is a problem, where YAML lets the last one win.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from corpus.config import known_keys
from corpus.errors import UsageError, describe_error
from corpus.storage.files import open_read

KeyPath = tuple[str | int, ...]
Key = tuple[KeyPath, yaml.Mark, bool]  # path, mark, whether it is a repetition
MOST_CHARACTERS: Final = 1_000_000
MOST_VALUES: Final = 100_000  # aliases counted as what they name
MOST_DEEP: Final = 50


@dataclass(kw_only=True, slots=True)
class YamlSource:
    """Data of a YAML file, the places of its keys, and the problems met while reading it (as finished lines)."""

    name: str
    example: str = "assemble.threshold=0.85"  # of an override
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place(self, path: KeyPath) -> str:
        """Return where a key was written, or the nearest enclosing one."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)

    def tell(self, model: type[BaseModel], error: ValidationError) -> list[str]:
        """Return a line for each of pydantic's errors about the data, with the place of its key."""
        return [self._problem(model, item) for item in error.errors()]

    def _problem(self, model: type[BaseModel], item: Any) -> str:
        place, name = self.place(item["loc"]), ".".join(map(str, item["loc"]))
        where = place if place.endswith(f" {name}") or not name else f"{place}: {name}"
        return f"{where}: {describe_error(item, known_keys(model, item['loc']))}"

    def override(self, assignment: str) -> None:
        """Replace one value by `a.b=c`; `c` is read as YAML, so that numbers, lists and null keep their types."""
        try:
            keys, value = read_assignment(assignment, self.example)
        except UsageError as error:
            self.problems.append(str(error))
            return
        name = ".".join(keys)
        target = self.data
        for depth, key in enumerate(keys[:-1], start=1):
            if not isinstance(target.get(key), dict):
                target[key] = {}
                self.places[keys[:depth]] = f"--set {name}"
            target = target[key]
        target[keys[-1]] = value
        self.places = {known: place for known, place in self.places.items() if known[: len(keys)] != keys}
        self.places[keys] = f"--set {name}"


def read_yaml(path: str) -> YamlSource:
    """Read a YAML file of one mapping; raises UsageError, with the place, when it is not that."""
    try:
        with open_read(path) as file:
            raw = file.read(4 * MOST_CHARACTERS + 1)  # of UTF-8 no character is longer
        if len(raw) > 4 * MOST_CHARACTERS:
            raise ValueError(f"longer than {MOST_CHARACTERS:,} characters")
        text = raw.decode("utf-8-sig")
    except UsageError:  # which is a ValueError
        raise
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); check the path") from error
    return parse_yaml(text, path)


def parse_yaml(text: str, name: str) -> YamlSource:
    """Return what a YAML text of one mapping says; `name` is its file. Raises UsageError when it is not that."""
    data, keys = _parsed(text, name)
    if not isinstance(data, dict):
        raise UsageError(f"{name}: expected a mapping, `key: value` lines, found {_found(data)}")
    source = YamlSource(name=name, data=data)
    for key_path, mark, duplicate in keys:
        place = f"{name}:{mark.line + 1}:{mark.column + 1}"
        if duplicate:
            source.problems.append(f"{place}: key {key_path[-1]!r} is given twice")
        source.places.setdefault(key_path, place)
    return source


def _found(data: Any) -> str:
    if data is None:
        return "nothing"
    return f"a list of {len(data)}" if isinstance(data, list) else f"only {str(data)[:40]!r}"


def read_assignment(text: str, example: str) -> tuple[tuple[str, ...], Any]:
    """Return the keys and the value of `a.b=c`, the form of `--set`; c is YAML, so that it keeps its type.

    Raises UsageError, which shows the `example`.
    """
    name, equals, value = text.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys):
        raise UsageError(f"--set {text}: expected a.b=value, for example --set {example}")
    return keys, _parsed(value, f"--set {name}", marked=False)[0]


def _parsed(text: str, name: str, *, marked: bool = True) -> tuple[Any, list[Key]]:
    """Return the value of a YAML text and its keys; raises UsageError with the place of what is wrong.

    Python's reader stumbles over numbers, dates and tags that it cannot convert, deep nesting, and aliases that name
    each other, which a few lines can blow up to billions of values.
    """
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"longer than {MOST_CHARACTERS:,} characters")
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if _size(node, 0, {}) > MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {MOST_VALUES:,} values")
        keys = list(_keys(node, ()))  # before the values are made, which writes merged keys into the nodes
        data = None if node is None else loader.construct_document(node)
        json.dumps(data, default=str, ensure_ascii=False).encode()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) if marked else None
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        fault = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise UsageError(f"{place}: not valid YAML: {fault}") from error
    except RecursionError as error:
        raise UsageError(f"{name}: not valid YAML: nested more than {MOST_DEEP} deep") from error
    except UnicodeEncodeError as error:
        raise UsageError(f"{name}: not valid YAML: a text holds half of a surrogate pair") from error
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise UsageError(f"{name}: not valid YAML: {str(error)[:200]}") from error
    return data, keys


def _size(node: yaml.Node | None, depth: int, known: dict[int, int]) -> int:
    """Return how many values a node stands for, every alias counted as what it names."""
    if depth > MOST_DEEP:
        raise ValueError(f"nested more than {MOST_DEEP} deep, or an alias inside of what it names")
    inner: Sequence[Any] = () if node is None or isinstance(node, yaml.ScalarNode) else node.value
    if id(node) not in known:
        nodes = [one for pair in inner for one in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_size(one, depth + 1, known) for one in nodes)
    return known[id(node)]


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `top` in place of its own, mapping by mapping."""
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _keys(node: yaml.Node | None, path: KeyPath) -> Iterator[Key]:
    """Yield every key and list item."""
    if isinstance(node, yaml.MappingNode):
        seen: list[str] = []
        for key, value in node.value:
            name = str(key.value)
            yield (*path, name), key.start_mark, name in seen
            seen.append(name)
            yield from _keys(value, (*path, name))
    elif isinstance(node, yaml.SequenceNode):
        items: Sequence[yaml.Node] = node.value
        for index, item in enumerate(items):
            yield (*path, index), item.start_mark, False
            yield from _keys(item, (*path, index))
