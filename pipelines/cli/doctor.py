"""Verb `doctor`: this machine, an engine of Beam's, the devices of this machine, or a whole cluster."""

from typing import TYPE_CHECKING, Annotated

import typer

from corpus.errors import UsageError
from corpus.stage.progress import say
from pipelines.cli.arguments import beam_arguments, import_beam
from pipelines.cli.options import AsJson

if TYPE_CHECKING:
    from pipelines.inspection.doctor import Finding
    from train.health.facts import ClusterFacts

Devices = Annotated[bool, typer.Option("--devices", help="Measure its devices too: speed, all-reduce, disk, versions.")]
Cluster = Annotated[
    bool, typer.Option("--cluster", help="As one of many ranks, started by srun or torchrun: measure all; clocks too.")
]
Ranks = Annotated[int | None, typer.Option(min=1, help="With --devices: processes; default: one for each GPU.")]
Folder = Annotated[
    str, typer.Option("--output", "-o", metavar="DIR", help="Where checkpoints will go: its speed is measured.")
]

Compile = Annotated[
    bool, typer.Option("--compile", help="Compile what the stages would at their first start; it is kept for all.")
]


def doctor(
    context: typer.Context,
    compile_now: Compile = False,
    devices: Devices = False,
    cluster: Cluster = False,
    ranks: Ranks = None,
    output: Folder = ".",
    as_json: AsJson = False,
) -> None:
    """Check this machine and say what it lacks; of an engine too, by Beam's flags after `--`.

    With --devices or --cluster a table of all ranks, and a line for what is off: a slow device, sockets instead of
    InfiniBand, a folder that is not shared, clocks or versions that differ.
    """
    if (devices and cluster) or (ranks is not None and not devices):
        raise UsageError("doctor: --devices is of this machine, with --ranks; --cluster of all that srun started")
    arguments: tuple[str, ...] = context.obj or ()
    if compile_now:
        _compile()
    facts = _measured(output, cluster=cluster, ranks=ranks) if devices or cluster else None
    if cluster and facts is None:
        return  # what this rank found is with rank 0
    from pipelines.inspection.doctor import Finding, examine

    findings = examine()
    if arguments:
        beam_arguments(context)
        from pipelines.beam.engine_check import examine_engine

        findings += [Finding.of(line) for line in examine_engine(arguments)]
    if facts is not None:
        from train.health.report import health_lines

        findings += [Finding.of(line) for line in health_lines(facts)]
    _print(findings, facts, as_json=as_json)
    if any(finding.level == "fail" for finding in findings):
        raise UsageError("this machine cannot run corpuscle yet; see the lines that say fail")


def _compile() -> None:
    """Compile the readers first: what runs the stages imports them."""
    from corpus.compiled.build import build_readers
    from corpus.compiled.builds import is_switched_off

    if not is_switched_off():
        build_readers(say)
    import_beam()
    from pipelines.workflow.compile_ahead import compile_ahead

    compile_ahead()


def _measured(output: str, *, cluster: bool, ranks: int | None) -> "ClusterFacts | None":
    """Return what all ranks found, those of this machine or of a cluster; None on other ranks than 0."""
    if cluster:
        from train.health.rank import examine_cluster  # torch: 5 s

        return examine_cluster(output)
    from train.health.start import examine_devices

    return examine_devices(output, ranks=ranks)


def _print(findings: "list[Finding]", facts: "ClusterFacts | None", *, as_json: bool) -> None:
    if as_json:
        from pipelines.inspection.json_view import doctor_json

        typer.echo(doctor_json(findings, facts))
        return
    if facts is not None:
        from train.health.report import table

        typer.echo(table(facts) + "\n")
    typer.echo("\n".join(finding.line() for finding in findings))
