"""Configuration of a stage: one frozen pydantic model for command line, YAML file, code, tests and manifest.

A field says all there is to know of a setting, once: type, default, limits, description, whether it is part of the
fingerprint (`runtime`: places and worker counts cannot change the bytes of the output), and how its option looks.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from corpus.errors import UsageError

SettingGroup = Literal["input", "server", "text", "filters", "duplicates", "evaluation", "output", "running"]
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

    model_config = ConfigDict(frozen=True, extra="forbid")

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


def read_assignment(text: str, example: str) -> tuple[tuple[str, ...], Any]:
    """Return the keys and the value of `a.b=c`, the form of `--set`; c is YAML, so that it keeps its type.

    Raises UsageError, which shows the `example`.
    """
    import yaml  # only `run` and `train` read any, and every stage imports this module

    name, equals, value = text.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys):
        raise UsageError(f"--set {text}: expected a.b=value, for example --set {example}")
    try:
        return keys, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {name}: not valid YAML: {yaml_fault(error)}") from error


def yaml_fault(error: Exception) -> str:
    """Return what is wrong with a YAML text, in one line."""
    return str(getattr(error, "problem", None) or error).splitlines()[0]


Workers = Annotated[int, Field(ge=1, le=1024)]
