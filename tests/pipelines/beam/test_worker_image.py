"""The image of Beam's workers, without Docker: its container file read, and Beam's own boot program in its environment.

The boot program is what the image runs first. It asks the engine (Prism) what to do, fetches what was staged, checks
the environment and starts the worker, which works on a sample. In the normal run the environment is that of the tests;
the long proof makes one by the very RUN lines of the container file, in a folder that holds what it copies.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import apache_beam
import pytest
from dockerfile_parse import DockerfileParser

from corpus.assemble.config import AssembleConfig
from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.synthetic.sample.write import Sample, write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from tests.conftest import REPOSITORY
from tests.pipelines.test_join import hashes
from tests.support.engines import booted_pool, prism_server

DEPLOY = REPOSITORY / "configs/deploy/dataflow"
OF_THE_IMAGE = {"RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1"}
Steps = list[tuple[str, str]]


def image_steps() -> Steps:
    parser = DockerfileParser(fileobj=(DEPLOY / "Containerfile").open("rb"))
    return [(step["instruction"], step["value"]) for step in parser.structure if step["instruction"] != "COMMENT"]


def copied(steps: Steps) -> list[list[str]]:
    """Return the words of each COPY of the repository's own files: sources, and where they go."""
    return [value.split() for instruction, value in steps if instruction == "COPY" and not value.startswith("--from=")]


def variables_of(steps: Steps) -> dict[str, str]:
    pairs = [value.partition("=") for instruction, value in steps if instruction == "ENV"]
    return {name: value for name, _, value in pairs}


def test_the_image_is_of_the_beam_and_the_python_that_are_pinned() -> None:
    steps = image_steps()
    sources = dict(reversed(value.partition(" AS ")[::2]) for instruction, value in steps if instruction == "FROM")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = re.fullmatch(r"docker\.io/library/python:(3\.\d+)-slim-\w+", sources[""])
    assert python is not None
    assert f">={python[1]}," in project["requires-python"]
    assert sources["beam"] == f"docker.io/apache/beam_python{python[1]}_sdk:{apache_beam.__version__}"
    assert f"python{python[1].replace('.', '')}-template-launcher-base:" in sources["launcher"]
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert f"apache-beam=={apache_beam.__version__}" in pinned
    assert all((REPOSITORY / source).exists() for *names, _ in copied(steps) for source in names)
    assert dict(steps)["ENTRYPOINT"] == '["/opt/apache/beam/boot"]'
    variables = variables_of(steps)
    assert OF_THE_IMAGE.items() <= variables.items()
    assert variables["FLEX_TEMPLATE_PYTHON_PY_FILE"] in [words[-1] for words in copied(steps)]
    assert "torch" not in (REPOSITORY / "locks/worker.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(str(tmp_path_factory.mktemp("raw")), seed=4, scale=0.05)


def config_of(sample: Sample) -> ExtractConfig:
    return ExtractConfig(pubmed=sample.pubmed[:1])


@pytest.fixture(scope="module")
def expected(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    folder = tmp_path_factory.mktemp("expected")
    extract(config_of(sample), output=str(folder / "records"))
    assemble(AssembleConfig(), records=str(folder / "records"), output=str(folder / "corpus"))
    return {name: hashes(folder / name) for name in ("records", "corpus")}


def built_on(sample: Sample, folder: Path, jobs: int, workers: int) -> dict[str, dict[str, str]]:
    """Run both stages on an engine and return the hashes of what they wrote."""
    flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
    flags += [f"--environment_config=localhost:{workers}"]
    extract(config_of(sample), output=str(folder / "records"), beam_args=flags)
    assemble(AssembleConfig(), records=str(folder / "records"), output=str(folder / "corpus"), beam_args=flags)
    return {name: hashes(folder / name) for name in ("records", "corpus")}


@pytest.mark.slow
def test_beams_boot_program_starts_our_worker(
    sample: Sample, expected: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "pool").mkdir()
    with prism_server() as (jobs, _), booted_pool(Path(sys.executable), tmp_path / "pool", OF_THE_IMAGE) as workers:
        assert built_on(sample, tmp_path, jobs, workers) == expected
    log = (tmp_path / "pool/pool.log").read_text(encoding="utf-8")
    assert log.count("Provision info:") == 2
    assert "Downloaded: " in log


@pytest.mark.slow
def test_a_worker_of_an_environment_without_corpuscle_is_said(sample: Sample, tmp_path: Path) -> None:
    """An image that was made without our package, or Beam's own: the command names what it lacks."""
    (tmp_path / "pool").mkdir()
    hidden = OF_THE_IMAGE | {"PYTHONPATH": str(without_corpuscle(tmp_path / "hidden"))}
    with (
        prism_server() as (jobs, _),
        booted_pool(Path(sys.executable), tmp_path / "pool", hidden) as workers,
        pytest.raises(UsageError, match=r"a worker lacks .*No module named 'corpus'"),
    ):
        built_on(sample, tmp_path, jobs, workers)


def without_corpuscle(folder: Path) -> Path:
    """Return a folder that hides our packages from a Python with it on PYTHONPATH."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('corpus', 'pipelines', 'tokenizer', 'train'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    return folder


@pytest.mark.exhaustive
def test_an_environment_made_as_the_image_makes_it_works(
    sample: Sample, expected: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    python = make_environment(tmp_path)
    (tmp_path / "pool").mkdir()
    held = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = {line.partition("==")[0].lower() for line in held.stdout.split()}
    assert {"corpuscle", "apache-beam", "gcsfs", "s3fs"} <= names
    assert not {name for name in names if re.match(r"torch|deepspeed|nvidia|transformers", name)}
    variables = variables_of(image_steps()) | {"PYTHONPATH": ""}
    with prism_server() as (jobs, _), booted_pool(python, tmp_path / "pool", variables) as workers:
        assert built_on(sample, tmp_path / "out", jobs, workers) == expected


def make_environment(folder: Path) -> Path:
    """Follow the container file's COPY and RUN lines in a folder, and return the Python of what they made."""
    steps, work, home = image_steps(), folder / "work", folder / "home"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if version != "python3.11":
        pytest.skip("the image is of Python 3.11")
    work.mkdir()
    for *names, place in copied(steps):
        target = folder / "template.py" if place.startswith("/") else work / place
        for name in names:
            source = REPOSITORY / name
            into = target / source.name if place == "./" or (place.endswith("/") and source.is_file()) else target
            into.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, into)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    environment = {**os.environ, "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
    for instruction, value in steps:
        if instruction == "RUN":
            done = subprocess.run(
                ["bash", "-c", value], cwd=work, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert shlex.split(next(value for instruction, value in steps if instruction == "RUN"))[-2:] == ["pip", "check"]
    return home / "bin" / "python"
