"""What SECURITY.md names is there, and the version that it calls mended is this one."""

import re
import tomllib
from pathlib import Path


def test_what_the_page_names_exists(repository: Path) -> None:
    text = (repository / "SECURITY.md").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`([\w./-]+)`", text) if "/" in name or name.endswith((".txt", ".toml"))]
    assert len(named) > 10
    assert [name for name in named if not (repository / name).exists()] == []
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_version_that_is_mended_is_this_one(repository: Path) -> None:
    text = (repository / "SECURITY.md").read_text(encoding="utf-8")
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"| {'.'.join(project['version'].split('.')[:2])} and the main branch | yes |" in text
