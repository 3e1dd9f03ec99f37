"""Verbs of the command line around a trained model: `export`, `generate`, and `plan` before one is.

Rooms are imported when a verb is called.
"""

from typing import Annotated, Any

import typer

from corpus.errors import UsageError
from corpus.stage.machine import usable_cores
from pipelines.cli.arguments import refuse_beam_arguments
from pipelines.cli.messages import print_summary
from pipelines.cli.options import AsJson, Output, config_of

GpuName = Annotated[
    str, typer.Option(help="A100-40, A100-80, H100, H100-PCIe, H100-NVL, H200, H200-NVL, B200, L40S or MI300X.")
]
Mfu = Annotated[float, typer.Option(help="Percent of the peak that is reached; an assumption of yours.")]
Price = Annotated[float | None, typer.Option(min=0, help="Price of a GPU-hour, for the cost.")]
HfModel = Annotated[
    str | None, typer.Option(metavar="hf:DIR", help="A model of transformers' form; --config is its recipe.")
]
Watts = Annotated[
    float | None, typer.Option(min=1, help="Power of one GPU, for the energy; default: its maker's most.")
]
Grid = Annotated[float | None, typer.Option(min=0, metavar="GRAMS", help="CO2 of a kWh of your grid, for the CO2.")]
NetworkGbps = Annotated[
    float | None,
    typer.Option(min=1, help="Network of a machine of 8 GPUs, all cards together, in Gbit/s; default: 3200, 8 of 400."),
]
Finetune = Annotated[
    str | None,
    typer.Option(metavar="FILE|PRESET", help="Plan a fine-tuning of the model: medqa, pubmedqa, … or a YAML file."),
]
HowManyQuestions = Annotated[
    str | None,
    typer.Option(metavar="DIR|NUMBER", help="With --finetune: its questions; default: as many as published."),
]
RowTokens = Annotated[
    int | None, typer.Option(min=1, help="With --finetune: mean tokens of a row; default: the most allowed.")
]


def export(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Result of `corpuscle train`, finished or not, or of `corpuscle qa finetune`.",
            rich_help_panel="input",
        ),
    ],
    output: Output,
    check: Annotated[
        int | None, typer.Option(min=1, metavar="TOKENS", help="Score every format on so many held-out tokens.")
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where the run's tokens are, if they are not found.")
    ] = None,
) -> None:
    """Write a run's newest good checkpoint as model files, with tokenizer, card and hashes.

    Every format but faithful has the attention scale of the layers inside its weights, so that every runtime agrees.
    Of a fine-tuning, every run's model with its head, for transformers' own classes.
    """
    refuse_beam_arguments(context)
    config = config_of(context)
    if _is_finetuned(run):
        _export_heads(config, run, output)
        return
    from train.export.stage import export
    from train.generate.score_export import check_lines

    manifest = export(config, run=run, output=output, tokens=held_out, scored=check is not None)
    print_summary(manifest, output)
    if check:
        for line in check_lines(config, manifest, run=run, output=output, num_tokens=check, tokens=held_out):
            typer.echo(line)


def _is_finetuned(run: str) -> bool:
    from corpus.stage.manifest import has_manifest, read_manifest

    return has_manifest(run) and read_manifest(run).stage == "qa finetune"


def _export_heads(config: Any, run: str, output: str) -> None:
    from train.qa.ct2_heads import CT2_HEADS
    from train.qa.export_head import export_heads

    formats = tuple(form for form in config.formats if form != "folded")
    if not {*formats} <= {*CT2_HEADS} or config.dtype != "float32":
        raise UsageError(
            "export: a fine-tuned head is written for transformers (folded, float32 numbers) and, of a decoder, for "
            f"CTranslate2 ({', '.join(CT2_HEADS)}); give --format for each of these or leave it out"
        )
    print_summary(export_heads(tuned=run, output=output, formats=formats), output)


def generate(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Result of `corpuscle train` or of `corpuscle export`.")
    ],
    prompt: Annotated[str, typer.Option(help="What the text begins with; - reads standard input.")],
    kind: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="Format of an export; default: int8 if it is there."),
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="Tokens to write.")] = 100,
    temperature: Annotated[float, typer.Option(help="0: always the likeliest token.")] = 0.8,
    top_k: Annotated[int, typer.Option(help="Choose among the k likeliest tokens; 0: all.")] = 40,
    top_p: Annotated[float, typer.Option(help="Choose among the likeliest that make up this share.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
    number: Annotated[int, typer.Option(help="Texts to write.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all cores.")] = None,
) -> None:
    """Write text with a trained model on the CPU, and print tokens a second and memory."""
    refuse_beam_arguments(context)
    import os
    import sys

    # Threads that spin while they wait for a core make a token ten times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from train.generate.continuation import write_texts
    from train.generate.sampling import Sampling

    sampling = Sampling(
        max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, number=number
    )
    text = sys.stdin.read() if prompt == "-" else prompt
    written = write_texts(model, text, sampling, kind=kind, threads=threads or usable_cores())
    typer.echo("\n\n".join(written.texts))
    typer.echo(written.line(), err=True)


_OF_TRAINING = "--model, --watts, --grid and --network-gbps"


def plan(
    context: typer.Context,
    config: Annotated[str, typer.Option(metavar="FILE|PRESET", help="What would be trained.")],
    tokens: Annotated[
        str | None, typer.Option(metavar="DIR|NUMBER", help="Result of `corpuscle pack`, or a number: 34.6e9.")
    ] = None,
    gpu: GpuName = "H200",
    gpus: Annotated[int, typer.Option(min=1, help="How many of them.")] = 8,
    mfu: Mfu = 40.0,
    price: Price = None,
    model: HfModel = None,
    watts: Watts = None,
    grid: Grid = None,
    network_gbps: NetworkGbps = None,
    finetune: Finetune = None,
    questions: HowManyQuestions = None,
    row_tokens: RowTokens = None,
    as_json: AsJson = False,
) -> None:
    """Print what a training run takes: steps, passes, FLOPs, memory by ZeRO stage, days, cost, sizes on disk.

    With --finetune, what fine-tuning the model takes, of all its weights and by LoRA, on GPUs of 24, 40 and 80 GB.
    """
    refuse_beam_arguments(context)
    if finetune is not None and (model or watts or grid or network_gbps):
        raise UsageError(f"plan: {_OF_TRAINING} are of a training; leave them out, or --finetune")
    if finetune is not None:
        asked = {"settings": finetune, "questions": questions, "row_tokens": row_tokens, "tokens": tokens}
        typer.echo(_finetune_plan(config, as_json, **asked, gpu=gpu, gpus=gpus, mfu_percent=mfu, price=price))
        return
    if questions is not None or row_tokens is not None:
        raise UsageError("plan: --questions and --row-tokens belong to a fine-tuning; add --finetune medqa")
    from train.plan.forecast import make_plan
    from train.plan.lines import plan_text
    from train.plan.numbers import plan_json

    planned = make_plan(
        config, tokens=tokens, gpu=gpu, gpus=gpus, mfu_percent=mfu, price=price, model=model,
        watts=watts, grams_per_kwh=grid, network_gbps=network_gbps)  # fmt: skip
    typer.echo(plan_json(planned) if as_json else plan_text(planned))


def _finetune_plan(model: str, as_json: bool, **asked: Any) -> str:
    if as_json:
        raise UsageError("plan: --json is of a training; leave it out, or leave out --finetune")
    from train.qa.forecast import finetune_text, plan_finetune

    return finetune_text(plan_finetune(model, **asked))
