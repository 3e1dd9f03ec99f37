"""Write the pages that come from the code: `python -m tests.docs.write`, which `make docs` runs.

`tests/docs/test_pages.py` fails when one of them is not what the code says.
"""

from pathlib import Path

from tests.docs import cli_page, data_page, floor_plan, settings_page
from tests.support.house import room_graph

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- begin: written by `make docs` -->", "<!-- end -->"


def pages() -> dict[Path, str]:
    """Return the content of each page that the code writes; of `design.md` only the table of rooms is."""
    plan = room_graph()
    return {
        DOCS / "data.md": data_page.page(),
        DOCS / "cli.md": cli_page.page(),
        DOCS / "settings.md": settings_page.page(),
        DOCS / "floor_plan.svg": floor_plan.drawing(plan),
        DOCS / "design.md": _with_section(DOCS / "design.md", floor_plan.table(plan)),
    }


def _with_section(page: Path, section: str) -> str:
    """Return a page with the text between its two marks replaced."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{page.name}: holds no section between {BEGIN} and {END}"
    return f"{before}{BEGIN}\n{section}{END}{after}"


def main() -> None:
    """Write the pages that differ, and say which."""
    for path, content in pages().items():
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            print(f"docs/{path.name}: written")


if __name__ == "__main__":
    main()
