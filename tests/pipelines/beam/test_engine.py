"""On engines: a job runs, is cancelled, fails by our own error, and every fault of the engine says what to do.

The engine is Prism, by `PrismRunner`, which starts it, and by `PortableRunner` on one that runs; the embedded runner's
results are what they are held against.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import apache_beam as beam
import pytest

from corpus.errors import CorruptError, DiskError, RetryError, UsageError
from pipelines.beam.engine_check import examine_engine
from pipelines.beam.engine_faults import translated
from pipelines.beam.runner import run_pipeline
from tests.conftest import REPOSITORY
from tests.support.engines import free_port, kill_group, prism_program, prism_server, worker_pool

LOOPBACK = "--environment_type=LOOPBACK"


class WriteSquare(beam.DoFn):
    """Leaves a file for each number, as a task leaves a receipt."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, element: int) -> None:
        Path(self._folder, str(element)).write_text(str(element**2), encoding="utf-8")


class Fail(beam.DoFn):
    def process(self, element: int) -> None:
        raise CorruptError(f"file {element}: bad\n  second line; fetch it again")


class Wait(beam.DoFn):
    """Says that it works, and does so for a long time."""

    def __init__(self, path: str) -> None:
        self._path = path

    def process(self, element: int) -> None:
        Path(self._path).write_text(str(os.getpid()), encoding="utf-8")
        time.sleep(3_600)


class Lacks(beam.DoFn):
    def process(self, element: int) -> None:
        import a_package_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401


def squares(folder: Path, *flags: str) -> dict[str, str]:
    run_pipeline(
        lambda p: p | beam.Create([1, 2, 3]) | beam.ParDo(WriteSquare(str(folder))),
        workers=1,
        beam_args=flags,
        num_done=lambda: len(list(folder.iterdir())),
    )
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_runner_that_starts_its_own_engine_runs(tmp_path: Path) -> None:
    flags = ["--runner=PrismRunner", f"--prism_location={prism_program()}", LOOPBACK]
    assert squares(tmp_path, *flags) == {"1": "1", "2": "4", "3": "9"}


def test_workers_of_a_pool_run_it_and_their_loss_is_a_retry(tmp_path: Path) -> None:
    with prism_server() as (jobs, _), worker_pool() as (workers, pool):
        flags = [f"--environment_config=localhost:{workers}", "--environment_type=EXTERNAL"]
        flags += ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}"]
        folder = tmp_path / "out"
        folder.mkdir()
        assert squares(folder, *flags) == {"1": "1", "2": "4", "3": "9"}
        at_work = tmp_path / "at work"
        threading.Thread(target=kill_once, args=(at_work, pool), daemon=True).start()
        with pytest.raises(RetryError, match=r"localhost.*(lost|failed).*run the same command again"):
            run_pipeline(lambda p: p | beam.Create([1]) | beam.ParDo(Wait(str(at_work))), workers=1, beam_args=flags)


def kill_once(sign: Path, process: "subprocess.Popen[bytes]") -> None:
    """Kill a server and its children as soon as a worker has left its sign."""
    while not (sign.exists() and sign.read_text(encoding="utf-8")):
        time.sleep(0.05)
    with_worker = int(sign.read_text(encoding="utf-8"))
    kill_group(process)
    try:
        os.kill(with_worker, signal.SIGKILL)  # where it is none of the group
    except ProcessLookupError:
        return


def test_the_loss_of_the_engine_is_a_retry(tmp_path: Path) -> None:
    at_work = tmp_path / "at work"
    with prism_server() as (jobs, engine), worker_pool() as (workers, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
        flags += [f"--environment_config=localhost:{workers}"]

        def kill() -> None:
            while not at_work.exists():
                time.sleep(0.05)
            kill_group(engine)

        threading.Thread(target=kill, daemon=True).start()
        with pytest.raises(RetryError, match=r"the engine or a worker was lost \([^>]+\);"):
            run_pipeline(lambda p: p | beam.Create([1]) | beam.ParDo(Wait(str(at_work))), workers=1, beam_args=flags)


def test_own_errors_of_workers_come_back_as_they_are() -> None:
    with prism_server() as (jobs, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", LOOPBACK]
        with pytest.raises(CorruptError, match=r"^file 7: bad\n  second line; fetch it again$"):
            run_pipeline(lambda p: p | beam.Create([7]) | beam.ParDo(Fail()), workers=1, beam_args=flags)
        with pytest.raises(UsageError, match=r"a worker lacks .*No module named 'a_package_that_nobody_has'"):
            run_pipeline(lambda p: p | beam.Create([7]) | beam.ParDo(Lacks()), workers=1, beam_args=flags)


def test_an_endpoint_that_nobody_serves_is_said_at_once() -> None:
    port = free_port()
    flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", LOOPBACK]
    with pytest.raises(RetryError, match=rf"PortableRunner at localhost:{port}: nobody answers"):
        run_pipeline(lambda p: p | beam.Create([1]), workers=1, beam_args=flags)


def test_an_engine_whose_workers_never_start_is_not_waited_for(tmp_path: Path) -> None:
    with prism_server() as (jobs, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
        flags += [f"--environment_config=localhost:{free_port()}", "--first_task_minutes=0.02"]
        with pytest.raises(RetryError, match=r"no worker has started|lost|failed"):
            squares(tmp_path, *flags)


def test_a_job_of_which_no_task_ends_is_cancelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with prism_server() as (jobs, _), worker_pool() as (workers, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
        flags += [f"--environment_config=localhost:{workers}", "--first_task_minutes=0.05"]
        with pytest.raises(RetryError, match=r"no task has ended in 0\.05 minutes.*--first_task_minutes"):
            run_pipeline(
                lambda p: p | beam.Create([1]) | beam.ParDo(Wait(str(tmp_path / "at work"))),
                workers=1,
                beam_args=flags,
                num_done=lambda: 0,
            )
    assert "the job is cancelled" in capsys.readouterr().err


COMMAND = """
import sys
import apache_beam as beam
from pipelines.beam.runner import run_pipeline
from tests.pipelines.beam.test_engine import Wait
run_pipeline(lambda p: p | beam.Create([1]) | beam.ParDo(Wait(sys.argv[1])), workers=1, beam_args=sys.argv[2:])
"""


def test_ctrl_c_cancels_the_job_and_leaves_no_worker(tmp_path: Path) -> None:
    at_work = tmp_path / "at work"
    with prism_server() as (jobs, _), worker_pool() as (workers, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
        flags += [f"--environment_config=localhost:{workers}"]
        command = [sys.executable, "-c", COMMAND, str(at_work), *flags]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        while not at_work.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert "cancelling the job" in said
    assert "the job is cancelled" in said
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            RuntimeError("Pipeline job-1 failed in state CANCELLED: unknown error"),
            RetryError,
            "cancelled on the engine",
        ),
        (RuntimeError("OSError: [Errno 28] No space left on device"), DiskError, "disk of a worker is full"),
        (
            RuntimeError("Unable to fetch remote job server jar at https://x/y.jar: 403"),
            UsageError,
            "y.jar.*flink_job_server_jar=PATH",
        ),
        (
            RuntimeError("botocore.exceptions.NoCredentialsError: Unable to locate credentials"),
            UsageError,
            "wants credentials",
        ),
        (FileNotFoundError(2, "No such file or directory", "java"), UsageError, "needs Java"),
        (RuntimeError("Workflow failed. Causes: the zone has no quota"), RetryError, "the zone has no quota"),
    ],
)
def test_what_an_engine_says_gets_the_error_it_deserves(error: Exception, kind: type[Exception], words: str) -> None:
    found = translated(error, "FlinkRunner")
    assert type(found) is kind
    with pytest.raises(kind, match=f"(?s)^FlinkRunner: .*{words}"):
        raise found


def test_a_fault_of_our_own_code_stays_one() -> None:
    error = RuntimeError("Traceback (most recent call last):\n  File x\nZeroDivisionError: division by zero")
    assert translated(error, "FlinkRunner") is error


def found_by_doctor(*flags: str) -> dict[str, tuple[str, str]]:
    return {subject: (level, found) for level, subject, found, _ in examine_engine(flags)}


def test_doctor_asks_the_endpoint_and_the_pool(tmp_path: Path) -> None:
    dead = free_port()
    flags = ["--runner=PortableRunner", "--environment_type=EXTERNAL"]
    with worker_pool() as (alive, _):
        found = found_by_doctor(*flags, f"--job_endpoint=localhost:{dead}", f"--environment_config=localhost:{alive}")
        assert (found["endpoint"][0], found["workers"][0]) == ("fail", "ok")
        found = found_by_doctor(*flags, f"--job_endpoint=localhost:{alive}", f"--environment_config=localhost:{dead}")
        assert (found["endpoint"][0], found["workers"][0]) == ("ok", "warn")


def test_doctor_looks_for_java_and_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    jar = tmp_path / "server.jar"
    jar.touch()
    found = found_by_doctor("--runner=SparkRunner", f"--spark_job_server_jar={jar}")
    assert (found["java"][0], found["job server"][0], found["workers"][0]) == ("fail", "ok", "warn")
    assert found_by_doctor("--runner=FlinkRunner", "--flink_job_server_jar=/no.jar")["job server"][0] == "fail"
    found = found_by_doctor("--runner=PrismRunner")
    assert (found["prism"][0], found["workers"]) == ("warn", ("ok", "LOOPBACK"))


def test_doctor_names_what_a_job_of_dataflow_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    found = found_by_doctor("--runner=DataflowRunner", "--project=p", "--temp_location=gs://bucket/temp")
    assert found["flags"] == ("fail", "without --region")
    assert (found["workers"][0], found["bucket"][0]) == ("fail", "fail")


def test_a_store_that_does_not_say_what_is_done_cancels_no_job(tmp_path: Path) -> None:
    def num_done() -> int:
        raise OSError("the store does not answer")

    with prism_server() as (jobs, _), worker_pool() as (workers, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
        flags += [f"--environment_config=localhost:{workers}", "--first_task_minutes=0.001"]
        run_pipeline(
            lambda p: p | beam.Create([1]) | beam.ParDo(WriteSquare(str(tmp_path))),
            workers=1,
            beam_args=flags,
            num_done=num_done,
        )
    assert (tmp_path / "1").read_text() == "1"
