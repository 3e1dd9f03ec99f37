"""Configuration of a stage: one frozen pydantic model for command line, YAML file, code, tests and manifest.

A field says all there is to know of a setting, once: type, default, limits, description, whether it is part of the
fingerprint (`runtime`: places and worker counts cannot change the bytes of the output), and how its option looks.
"""

import os
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

SettingGroup = Literal["input", "server", "where", "text", "filters", "duplicates", "evaluation", "output", "running"]
GROUPS: tuple[SettingGroup, ...] = get_args(SettingGroup)  # in the order of `--help`


def setting(
    default: Any,
    description: str,
    *,
    group: SettingGroup | None = None,
    metavar: str | None = None,
    option: str | None = None,
    envvar: str | None = None,
    runtime: bool | None = None,
    **limits: Any,
) -> Any:
    """Return a pydantic field of a stage's configuration.

    Of its option: `group` is the heading in `--help`, `metavar` stands for the value, `option` is a name other than the
    field's, `envvar` an environment variable that is read when the option is not given.
    """
    facts = {"runtime": runtime, "group": group, "metavar": metavar, "option": option, "envvar": envvar}
    extra: dict[str, Any] = {name: fact for name, fact in facts.items() if fact is not None}
    return Field(default, description=description, json_schema_extra=extra, **limits)


def runtime(default: Any, description: str, **more: Any) -> Any:
    """Return a `setting` that is left out of the stage's fingerprint."""
    return setting(default, description, runtime=True, **more)


class StageConfig(BaseModel):
    """Frozen, closed configuration of one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide the bytes of the output, JSON-ready."""
        fields = type(self).model_fields
        return self.model_dump(
            mode="json", exclude={name for name in fields if field_facts(fields[name]).get("runtime")}
        )


def field_facts(field: Any) -> dict[str, Any]:
    """Return what `setting` was told of a pydantic field beside type, default, description and limits."""
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def section_of(field: Any) -> "type[StageConfig] | None":
    """Return the model of a pydantic field that is a section of its own, None of a single setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, StageConfig) else None


def expanded(path: str) -> str:
    """Return a path with a leading `~` in its full length, as a shell gives it; raises ValueError for a NUL in it."""
    if "\0" in path:
        raise ValueError("a path cannot hold a NUL")
    return os.path.expanduser(path)


def known_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the keys that a configuration allows in the mapping that holds the last key of a path."""
    below = iter(path[:-1])
    for key in below:
        field = model.model_fields.get(str(key))
        inner = [] if field is None else [field.annotation, *get_args(field.annotation)]
        models = [choice for choice in inner if isinstance(choice, type) and issubclass(choice, BaseModel)]
        if not models:
            return []
        model = models[0]
        if field is not None and get_origin(field.annotation) is dict and next(below, None) is None:
            return []  # the keys of a mapping are its user's own
    return list(model.model_fields)


def share_of(text: str) -> tuple[int, int]:
    """Return which part of how many `I/N` says; raises ValueError where there is no such part."""
    part, _, count = text.partition("/")
    if int(part) > int(count):
        raise ValueError(f"shard {text}: there is no part {part} of {count}")
    return int(part), int(count)


def _is_share(text: object) -> object:
    if not isinstance(text, str) or not re.fullmatch(_SHARE, text):
        raise ValueError(f"expected I/N, such as 2/8 for the second of eight, got {str(text)[:100]!r}")
    share_of(text)
    return text


_SHARE = r"[1-9]\d{0,5}/[1-9]\d{0,5}"
GivenPath = Annotated[str, AfterValidator(expanded)]
Workers = Annotated[int, Field(ge=1, le=1024)]
# Part i of n of a stage's work, one a machine.
MachineShare = Annotated[str, Field(pattern=f"^{_SHARE}$"), BeforeValidator(_is_share)]
