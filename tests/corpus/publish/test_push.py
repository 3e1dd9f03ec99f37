"""The way to the Hub: a server on this machine gets every file that the manifest names, with its hash, and once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.stage.manifest import read_manifest
from tests.support.hub_server import Hub, hub_server
from tests.support.published import Published, publish_sample

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish_sample(tmp_path_factory.mktemp("published"), scale=0.03)


def push(made: Published, hub: Hub, home: Path, *words: str, token: str = "secret") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines.cli.process", "publish", str(made.corpus), "-o", str(made.folder)]
    command += ["--date", "2026-11-30", "--creator", "Nobody", "--title", "A small corpus", *words]
    variables = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home),
    }
    variables.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_the_hub_gets_every_file_once_after_a_refusal_too(made: Published, tmp_path: Path) -> None:
    with hub_server() as hub:
        hub.refuse = 1
        stopped = push(made, hub, tmp_path, "--push", "org/name")
        assert stopped.returncode == 75, stopped.stderr
        assert "run the same command again" in stopped.stderr
        assert hub.files == {}
        hub.refuse = None
        done = push(made, hub, tmp_path, "--push", "org/name")
        assert done.returncode == 0, done.stderr
        assert "up to date" in done.stderr
        assert "/datasets/org/name/commit/0000" in done.stdout
        wanted = {part.path: part.sha256 for part in read_manifest(str(made.folder), "publish").parts}
        assert {name: digest for name, digest in hub.files.items() if name != "manifest.json"} == wanted
        assert {"manifest.json"} == hub.files.keys() - wanted
        assert hub.uploads == len(hub.objects)  # what had arrived before the refusal was not sent again
        assert hub.tokens == {"Bearer secret"}
        assert all(one.get("private") or one.get("visibility") == "private" for one in hub.made)


def test_a_changed_file_and_a_wrong_name_are_refused_before_anything_is_sent(made: Published, tmp_path: Path) -> None:
    with hub_server() as hub:
        wrong = push(made, hub, tmp_path, "--push", "no name")
        assert wrong.returncode == 2, wrong.stderr
        assert "give ORG/NAME" in wrong.stderr
        path = made.folder / "NOTICE"
        text = path.read_bytes()
        path.write_bytes(text[:-1] + b"?")
        damaged = push(made, hub, tmp_path, "--push", "org/name")
        path.write_bytes(text)
        assert damaged.returncode == 4, damaged.stderr
        assert "nothing was sent" in damaged.stderr
        assert (hub.made, hub.files) == ([], {})
