"""What an engine needs before an hour is spent on it: `corpuscle doctor -- --runner=…`.

Each check is one line, as all of `doctor`: (ok, warn or fail, subject, what was found, the next step).
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from apache_beam.options import pipeline_options as beam_options

from corpus import storage
from corpus.errors import RetryError
from corpus.storage.faults import store_fault
from pipelines.beam.engine import engine_name, knock
from pipelines.beam.flags import is_embedded

Line = tuple[str, str, str, str]
JOB_SERVERS = {"FlinkRunner": "flink_job_server_jar", "SparkRunner": "spark_job_server_jar"}
INSTALL = "pip install -e '.[gcp]' -c constraints.txt"
IMAGE = "--sdk_container_image=IMAGE, see docs/engines.md"
ON_DATAFLOW = ("project", "region", "temp_location")


def examine_engine(beam_args: Sequence[str]) -> Iterator[Line]:
    """Yield what was found about the engine that Beam's flags name, and its workers."""
    if is_embedded(beam_args):
        yield "ok", "runner", "embedded: it needs nothing", ""
        return
    options = beam_options.PipelineOptions(list(beam_args))
    given = options.get_all_options()
    runner = str(given["runner"]).rpartition(".")[2]
    yield "ok", "runner", runner, ""
    if runner == "DataflowRunner":
        yield from _dataflow(given)
        return
    if given["job_endpoint"]:
        yield _answers("endpoint", str(given["job_endpoint"]), engine_name(options))
    elif runner == "PrismRunner":
        yield _program("prism", given["prism_location"], "--prism_location")
    elif runner in JOB_SERVERS:
        yield _java(given["job_server_java_launcher"] or "java")
        yield _program("job server", given[JOB_SERVERS[runner]], f"--{JOB_SERVERS[runner]}")
    yield from _workers(given)


def _answers(subject: str, endpoint: str, name: str) -> Line:
    try:
        knock(endpoint, name)
    except RetryError as error:
        return "fail", subject, f"{endpoint}: nobody answers", str(error).partition("; ")[2]
    return "ok", subject, f"{endpoint} answers", ""


def _program(subject: str, path: object, flag: str) -> Line:
    if not path:
        return "warn", subject, "Beam will fetch it from the internet", f"without that, name a file: {flag}=PATH"
    if os.path.isfile(str(path)):
        return "ok", subject, str(path), ""
    return "fail", subject, f"{path} is no file here", f"correct {flag}"


def _java(launcher: str) -> Line:
    if found := shutil.which(launcher):
        return "ok", "java", found, ""
    return "fail", "java", f"{launcher} is not on PATH", "install a Java runtime, 11 or newer"


def _workers(given: dict[str, object]) -> Iterator[Line]:
    """Look at where workers run: a container is the default, which wants Docker on the engine's machine."""
    usual = "LOOPBACK" if str(given["runner"]).endswith("PrismRunner") else "DOCKER"
    kind, place = str(given["environment_type"] or usual), str(given["environment_config"] or "")
    if kind == "EXTERNAL":
        asked = _answers("workers", place, "worker pool")
        # The engine asks the pool, and may stand where this machine does not.
        yield asked if asked[0] == "ok" else ("warn", *asked[1:3], "start the pool, see docs/engines.md")
    elif kind == "DOCKER":
        docker = shutil.which("docker")
        image = f"image {place}" if place else "Beam's own image, which has no corpuscle"
        advice = "" if docker and place else "--environment_config=IMAGE, or --environment_type=LOOPBACK on one machine"
        yield ("ok" if not advice else "warn"), "workers", image + ("" if docker else "; no docker here"), advice
    else:
        yield "ok", "workers", kind, ""


def _dataflow(given: dict[str, object]) -> Iterator[Line]:
    """Look at what a job of Dataflow needs: the extra, four flags and a bucket that can be read."""
    if find_spec("google.cloud.dataflow") is None and find_spec("apitools") is None:
        yield (
            "fail",
            "packages",
            "Beam's part for Google Cloud is missing",
            "pip install -e '.[gcp]' -c constraints.txt",
        )
    if absent := [f"--{name}" for name in ON_DATAFLOW if not given[name]]:
        yield "fail", "flags", f"without {', '.join(absent)}", "give them after `--`"
    if image := given["sdk_container_image"]:
        yield "ok", "workers", str(image), ""
    else:
        yield "fail", "workers", "Beam's own image has no corpuscle", IMAGE
    if place := str(given["temp_location"] or ""):
        yield _bucket(place)


def _bucket(place: str) -> Line:
    try:
        storage.exists(place)
    except Exception as error:
        if (fault := store_fault(f"{type(error).__name__}: {error}")) is None:
            raise
        return "fail", "bucket", place, str(fault)
    return "ok", "bucket", f"{place} can be asked", ""
