"""A job as Dataflow is given it: what is staged, which options arrive, and what each way to end says.

The store is an emulator of Google's, the service one that records (`tests.support.dataflow_service`); Beam's own
client of Dataflow stands between. No job of Google's runs here.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import fsspec
import pytest

from corpus import storage
from corpus.errors import CorruptError, RetryError, UsageError
from corpus.synthetic.sample.write import write_sample
from pipelines.beam.engine_faults import translated
from pipelines.beam.flags import NO_WAIT
from pipelines.beam.runner import run_pipeline
from pipelines.cli.app import main
from pipelines.cli.template import launch
from tests.conftest import REPOSITORY
from tests.support.dataflow_service import JOB, JobEnd, RecordedService, dataflow_service
from tests.support.fetch_servers import gcs_server

pytest.importorskip("apache_beam.runners.dataflow.internal.apiclient", reason="needs the gcp extra of apache-beam")

IMAGE = "europe-west4-docker.pkg.dev/a-project/corpuscle/worker:1"
FLAGS = REPOSITORY / "configs/deploy/dataflow"
PROJECT = "/v1b3/projects/a-project/locations/europe-west4/jobs"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("gcsfs", reason="needs the gcp extra")
    with gcs_server() as (address, name):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        fsspec.get_filesystem_class("gs").clear_instance_cache()
        yield f"gs://{name}"


def preset(stage: str) -> list[str]:
    return [line for line in (FLAGS / f"{stage}.flags").read_text(encoding="utf-8").splitlines() if line[:2] == "--"]


def flags_for(service: RecordedService, bucket: str) -> list[str]:
    return [*service.flags(), f"--temp_location={bucket}/temp", f"--sdk_container_image={IMAGE}"]


def submit(service: RecordedService, bucket: str, *more: str) -> None:
    """Submit a job of one step and wait for its end."""
    run_pipeline(lambda p: p | beam.Create([1]), workers=1, beam_args=[*flags_for(service, bucket), *more])


@pytest.mark.slow
def test_a_stage_is_staged_and_submitted_with_its_options(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_citations(bucket, tmp_path)
    words = ["extract", "--pubmed", f"{bucket}/raw", "--output", f"{bucket}/records", "--"]
    with dataflow_service(JobEnd()) as service:
        assert main([*words, *flags_for(service, bucket), *preset("extract")]) == 75
    said = capsys.readouterr().err
    assert "the job ended well, yet no manifest is here" in said
    assert "Run `corpuscle extract`" not in said
    (pool,) = service.job()["environment"]["workerPools"]
    assert [one["containerImage"] for one in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert pool["sdkHarnessContainerImages"][0]["useSingleCorePerContainer"] is True  # a process for each vCPU
    assert (pool["machineType"], pool["diskSizeGb"]) == ("n2-standard-4", 50)
    assert pool["autoscalingSettings"] == {"algorithm": 2, "maxNumWorkers": 64}
    assert "shuffle_mode=service" in service.job()["environment"]["experiments"]
    options = service.job()["environment"]["sdkPipelineOptions"]["options"]
    assert options["number_of_worker_harness_threads"] == 1
    assert len(str(service.job())) < 100_000  # Dataflow takes a request of 10 MB
    staged = {name.rpartition("/")[2]: size for name, size in storage.walk_sizes(f"{bucket}/temp").items()}
    assert staged.keys() == {"pipeline.pb", "submission_environment_dependencies.txt"}
    assert sum(staged.values()) < 200_000  # no package: workers have the image
    assert not storage.exists(f"{bucket}/records/manifest.json")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "kind", "words"),
    [
        (
            JobEnd(state="JOB_STATE_CANCELLED"),
            RetryError,
            "the job was cancelled on the engine; finished parts are kept",
        ),
        (
            JobEnd(state="JOB_STATE_FAILED", message="The zone does not have enough resources: ZONE_RESOURCE_POOL"),
            RetryError,
            "the job failed: The zone does not have enough resources: ZONE_RESOURCE_POOL; .* the same command again",
        ),
        (
            JobEnd(
                state="JOB_STATE_FAILED",
                message="Traceback (most recent call last):\n  File x\ncorpus.errors.CorruptError: a.xml: cut off "
                "[while running 'Extract']\n",
            ),
            CorruptError,
            "^a.xml: cut off$",
        ),
        (
            JobEnd(refusal=400, message="The workflow could not be created: invalid machine type n9-huge"),
            UsageError,
            "it refuses the job: .*invalid machine type n9-huge",
        ),
        (
            JobEnd(refusal=403, message="Permission dataflow.jobs.create denied on the project"),
            UsageError,
            "it refuses the job: .*Permission dataflow.jobs.create denied",
        ),
    ],
)
def test_each_way_to_end_says_what_to_do(bucket: str, end: JobEnd, kind: type[Exception], words: str) -> None:
    with dataflow_service(end) as service, pytest.raises(kind, match=words):
        submit(service, bucket)
    assert [path.partition("?")[0] for method, path, _ in service.requests if method == "POST"] == [PROJECT]


@pytest.mark.slow
def test_a_job_that_nobody_waits_for(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    with dataflow_service(JobEnd(state="JOB_STATE_RUNNING")) as service:
        submit(service, bucket, NO_WAIT)
    assert [method for method, _, _ in service.requests] == ["POST"]  # its state is not asked for
    said = capsys.readouterr().err
    assert f"DataflowRunner: job {JOB} is submitted and left to the engine; the same command without {NO_WAIT}" in said


@pytest.mark.slow
def test_the_launcher_of_a_template_gets_a_description(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_citations(bucket, tmp_path)
    words = ["--stage=extract", f"--pubmed={bucket}/raw", "--pmc=", f"--output={bucket}/records"]
    with dataflow_service(JobEnd()) as service:
        place = f"--template_location={bucket}/template/job_object"  # as the launcher gives it
        assert launch([*flags_for(service, bucket), place, *words]) == 0
    assert service.requests == []  # the launcher submits it
    said = capsys.readouterr()
    assert "the job's description is written" in said.err
    assert said.out == f"the job goes on without this command; nothing is committed to {bucket}/records yet\n"
    with storage.open_read(f"{bucket}/template/job_object") as source:
        job = json.loads(source.read())
    (pool,) = job["environment"]["workerPools"]
    assert [one["containerImage"] for one in pool["sdkHarnessContainerImages"]] == [IMAGE]


def put_citations(bucket: str, folder: Path) -> None:
    """Put a file of citations where a stage of these tests looks for it."""
    path = Path(write_sample(str(folder), seed=4, scale=0.05).pubmed[0])
    with storage.write_atomic(f"{bucket}/raw/{path.name}") as sink:
        sink.write(path.read_bytes())


def test_a_job_that_would_end_with_the_command_is_not_left() -> None:
    for runner in (["--runner=PrismRunner"], ["--runner=FlinkRunner"], []):
        with pytest.raises(UsageError, match=rf"{NO_WAIT}.*out"):
            run_pipeline(lambda p: p | beam.Create([1]), workers=1, beam_args=[*runner, NO_WAIT])
    loopback = ["--runner=PortableRunner", "--job_endpoint=localhost:1", "--environment_type=LOOPBACK", NO_WAIT]
    with pytest.raises(UsageError, match=r"with workers of its own$"):
        run_pipeline(lambda p: p | beam.Create([1]), workers=1, beam_args=loopback)


@pytest.mark.slow
def test_a_job_without_workers_is_cancelled_there(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        dataflow_service(JobEnd(state="JOB_STATE_RUNNING")) as service,
        pytest.raises(RetryError, match=r"no task has ended in 0\.01 minutes"),
    ):
        run_pipeline(
            lambda p: p | beam.Create([1]),
            workers=1,
            beam_args=[*flags_for(service, bucket), "--first_task_minutes=0.01"],
            num_done=lambda: 0,
        )
    asked = [body for method, path, body in service.requests if method == "PUT" and JOB in path]
    assert [body["requestedState"] for body in asked] == [5]  # JOB_STATE_CANCELLED
    assert "DataflowRunner: the job is cancelled" in capsys.readouterr().err


def test_a_refusal_that_passes_is_a_retry() -> None:
    from apache_beam.runners.dataflow.internal.apiclient import DataflowJobAlreadyExistsError
    from google.api_core import exceptions

    for passing in (exceptions.TooManyRequests("quota of jobs"), exceptions.ServiceUnavailable("busy")):
        assert type(translated(passing, "DataflowRunner")) is RetryError
    named = DataflowJobAlreadyExistsError("There is already active job named a with id: b. Set another --job_name.")
    found = translated(named, "DataflowRunner")
    assert type(found) is UsageError
    assert str(found).startswith("DataflowRunner: it refuses the job: There is already active job named a with id: b.")
