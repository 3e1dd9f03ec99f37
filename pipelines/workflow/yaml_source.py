"""YAML file as plain data and the place of every key, so that an error can name its line.

In: a path and `a.b=c` overrides. Out: plain data, and for each key path where it was written:
`file:line:column`, or `--set a.b`. A key given twice is a problem, where YAML lets the last one win.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from corpus.config import read_assignment, yaml_fault
from corpus.errors import UsageError

KeyPath = tuple[str | int, ...]


@dataclass(kw_only=True, slots=True)
class YamlSource:
    """The data of a YAML file, its places, and the problems met while reading it (as finished lines)."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place(self, path: KeyPath) -> str:
        """Return where a key was written, or the nearest enclosing one."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)

    def override(self, assignment: str) -> None:
        """Replace one value by `a.b=c`; `c` is read as YAML, so that numbers, lists and null keep their types."""
        try:
            keys, value = read_assignment(assignment, "assemble.threshold=0.85")
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
        with open(path, encoding="utf-8") as file:
            text = file.read()
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); check the path") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise UsageError(f"{place}: not valid YAML: {yaml_fault(error)}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: expected sections such as `work:` and `extract:`, found {type(data).__name__}")
    source = YamlSource(name=path, data=data)
    for key_path, mark, duplicate in _keys(node, ()):
        place = f"{path}:{mark.line + 1}:{mark.column + 1}"
        if duplicate:
            source.problems.append(f"{place}: key {key_path[-1]!r} is given twice")
        source.places.setdefault(key_path, place)
    return source


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `top` in place of its own, mapping by mapping."""
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _keys(node: yaml.Node | None, path: KeyPath) -> Iterator[tuple[KeyPath, yaml.Mark, bool]]:
    """Yield (path, mark, whether it is a repetition) of every key and list item."""
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
