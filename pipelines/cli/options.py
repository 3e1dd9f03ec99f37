"""Options of a verb, made from the fields of its stage's configuration: type or choices, default, help and heading.

A configuration is named by `module:class` and imported when its verb is called or asked for help: `corpuscle --help`
needs none. An option that a verb declares itself takes the place of the field of its name.
"""

import inspect
from collections.abc import Iterator
from importlib import import_module
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import typer
from typer.core import TyperCommand

from pipelines.beam.forks import imports_without_threads

Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Directory of the result; one stage, one directory.",
        rich_help_panel="output",
    ),
]
Update = Annotated[
    bool,
    typer.Option(
        "--update",
        help="Bring the result there up to date with the inputs given, reusing what it can.",
        rich_help_panel="output",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
LookOnly = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say what would be done and reused, sizes, disk and CPU time; write nothing.",
        rich_help_panel="running",
    ),
]
SHORT = {"workers": "-w"}  # what people type without looking, beside -o


class StageCommand(TyperCommand):
    """A verb with its own options and one for each other field of a configuration."""

    configuration: ClassVar[str]  # module:class
    _own: frozenset[str] | None = None

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all options; the first call adds those of the configuration."""
        if self._own is None:
            self._own = frozenset(option.name for option in self.params)
            self.params += _options(self.model(), without=self._own)
        return super().get_params(ctx)

    def invoke(self, ctx: Any) -> Any:
        """Call the verb with its own options, and keep those of the configuration for `config_of`."""
        names = [name for name in ctx.params if name not in (self._own or ())]
        ctx.meta[__name__] = {name: ctx.params.pop(name) for name in names}
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options under the headings of their groups."""
        from corpus.config import GROUPS

        rows: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            if (row := option.get_help_record(ctx)) is not None:
                rows.setdefault(getattr(option, "rich_help_panel", None) or "other", []).append(row)
        for group in (*GROUPS, "other"):
            if group in rows:
                with formatter.section(group.capitalize()):
                    formatter.write_dl(rows[group])

    def model(self) -> Any:
        """Return the configuration's class."""
        module, _, name = self.configuration.partition(":")
        with imports_without_threads():
            return getattr(import_module(module), name)


def options_of(configuration: str) -> type[StageCommand]:
    """Return the class of a verb that has an option for each field of a configuration, `module:class`."""
    return type("StageCommand", (StageCommand,), {"configuration": configuration})


def config_of(context: typer.Context, **own: Any) -> Any:
    """Return the configuration that a verb was called with; `own` are fields that the verb took itself.

    An empty word in place of a list's default (`--languages ""`) is the empty list. Raises UsageError, each option by
    the name that it is given by.
    """
    from pydantic import ValidationError

    from corpus.config import section_of
    from corpus.errors import UsageError, list_problems
    from corpus.stage.explain import describe_option_errors

    command: Any = context.command
    model, values = command.model(), dict(context.meta[__name__])
    sections = {name: found for name, field in model.model_fields.items() if (found := section_of(field))}
    for name, section in sections.items():
        values[name] = {inner: values.pop(inner) for inner in section.model_fields}
    emptied = {name: () for name, value in values.items() if value == [""] and model.model_fields[name].default}
    try:
        return model(**values | emptied | own)
    except ValidationError as error:
        options = {option.name: option.opts[0] for option in command.params if option.opts[0].startswith("--")}
        told = [
            {**item, "loc": item["loc"][1:] if item["loc"][:1] and item["loc"][0] in sections else item["loc"]}
            for item in error.errors()
        ]
        raise UsageError(list_problems(describe_option_errors(told, options))) from error


def _options(model: Any, *, without: frozenset[str]) -> list[Any]:
    """Return Typer's options for the fields of a model, made as it makes those of a function's parameters."""
    parameters = [_parameter(name, field) for name, field in flat_fields(model) if name not in without]

    def verb(**_: Any) -> None:
        """Take the parameters."""

    verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    maker = typer.Typer(add_completion=False)
    maker.command()(verb)
    return typer.main.get_command(maker).params


def flat_fields(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a model, those of its sections in their place."""
    from corpus.config import section_of

    for name, field in model.model_fields.items():
        section = section_of(field)
        yield from section.model_fields.items() if section else [(name, field)]


def _parameter(name: str, field: Any) -> inspect.Parameter:
    """Return a field as a parameter of a Typer function; pydantic checks limits and choices, all of them at once."""
    from corpus.config import field_facts

    facts, kind = field_facts(field), _plain(field.annotation)
    is_tuple = get_origin(kind) is tuple
    item = _plain(get_args(kind)[0]) if is_tuple else kind
    choices = "|".join(map(str, get_args(item))) if get_origin(item) is Literal else None
    flag = "--" + name.replace("_", "-")  # alone, where Typer would add a --no-… of what is off already
    names = [facts["option"]] if "option" in facts else [flag] if kind is bool and not field.default else []
    names = [*(names or [flag]), SHORT[name]] if name in SHORT else names
    option = typer.Option(
        *names,
        help=_sentence(field.description, repeatable=is_tuple),
        metavar=facts.get("metavar", choices),
        envvar=facts.get("envvar"),
        rich_help_panel=facts.get("group"),
    )
    item = item if item in (bool, int, float) else str
    default = list(field.default) if is_tuple else field.default
    annotation = Annotated[list[item] if is_tuple else item, option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _plain(annotation: Any) -> Any:
    """Return a type without `Annotated` and without None."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _plain(next(kind for kind in get_args(annotation) if kind is not NoneType))
    return annotation


def _sentence(description: str, *, repeatable: bool) -> str:
    return f"{description[:1].upper()}{description[1:]}{'; repeatable' if repeatable else ''}."
