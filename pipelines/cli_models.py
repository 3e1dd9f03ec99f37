"""The verbs of the front door around a trained model: `export`.

Rooms are imported when a verb is called.
"""

from typing import Annotated, Any

import typer

from pipelines.cli_looking import no_beam


def export(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Result of `corpuscle train`, finished or not.")],
    output: Annotated[str, typer.Option(metavar="DIR", help="Directory of the result; one stage, one directory.")],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="folded (transformers), faithful, gguf-f16, gguf-q8_0, ct2-int8, ct2-float32, or all; repeatable.",
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(help="Numbers in safetensors: float32, bfloat16 or float16.")] = "float32",
    name: Annotated[str, typer.Option(help="Name of the model in its files and its card.")] = "corpuscle",
) -> None:
    """Write a run's newest good checkpoint as model files, with tokenizer, card and hashes.

    Every format but faithful has the attention scale of the layers inside its weights, so that every runtime agrees.
    """
    no_beam(context)
    from train.export.config import PLACES, ExportConfig

    wanted = [*PLACES] if formats and "all" in formats else formats or ["folded"]
    options: dict[str, Any] = {"formats": tuple(dict.fromkeys(wanted)), "dtype": dtype, "name": name}
    config = ExportConfig(**options)
    from pipelines.funnel import summary_line
    from train.export.stage import export as stage

    typer.echo(summary_line(stage(config, run=run, output=output), output))
