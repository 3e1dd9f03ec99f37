"""The report page: its numbers are those of the stages (DuckDB counts them again), and corpus text stays text."""

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

import duckdb
import numpy as np
import pytest
from lxml import html
from PIL import Image

from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.reasons import DropReason, RejectReason
from corpus.stage.manifest import read_manifest
from corpus.stage.workspace import Receipt, plan_stage
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from pipelines.report.legend import meanings
from pipelines.report.page import write_report
from tests.pipelines.assemble.test_orders import VOCABULARY, citation

ATTACK = "<script>alert(1)</script> & <img src=x onerror=alert(2)> café"
STEPS = 12


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make records with dead letters, a corpus with duplicates of all kinds, and the metrics of a training run."""
    folder = tmp_path_factory.mktemp("report")
    rng = random.Random(1)
    texts = [" ".join(rng.choices(VOCABULARY, k=rng.randint(20, 200))) for _ in range(60)]
    texts += [text + " moreover" for text in texts[:5] for _ in range(2)] + texts[5:9] + ["", "too short"]
    texts[20] += f" {ATTACK}"
    raw = "".join(citation(pmid, 1, text, random.Random(pmid)) for pmid, text in enumerate(texts, start=1))
    broken = f"<PubmedArticle><b title='{escape(ATTACK)}'></PubmedArticle>"
    (folder / "a.xml").write_text(f"<PubmedArticleSet>{raw}{broken}</PubmedArticleSet>")
    records, corpus = folder / "work" / "records", folder / "work" / "corpus"
    extract(ExtractConfig(pubmed=(str(folder / "a.xml"),), max_reject_rate=0.5), output=str(records))
    assemble(AssembleConfig(), records=str(records), output=str(corpus))
    workspace, _ = plan_stage(str(folder / "work" / "run"), stage="train", revision=1, config={}, inputs=[])
    lines = [
        {"step": step, "loss": 9 - step / 4, "gradient_norm": 1 / step, "learning_rate": step * 1e-3}
        for step in range(1, STEPS + 1)
    ]
    lines.append({"step": STEPS, "validation_loss": 6.125, "validation_loss_pubmed": 6.25})
    (folder / "work" / "run").mkdir(exist_ok=True)
    Path(workspace.path("metrics.jsonl")).write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    speeds = [{"step": step, "tokens_per_second": 1000.0 + 500 * (step % 3)} for step in range(1, 7)]
    told = "".join(json.dumps(line) + "\n" for line in speeds) + '{"step'
    Path(workspace.path("timing.jsonl")).write_text(told, encoding="utf-8")
    part = workspace.measure("metrics.jsonl", role="metrics", rows=len(lines))
    known = {
        "parameters": 5,
        "steps": STEPS,
        "tokens": 9,
        "first_loss": 8.75,
        "last_loss": 6.0,
        "validation_loss": None,
    }
    workspace.commit([workspace.finish(Receipt(task="train", parts=(part,)))], summary=known)
    return folder / "work"


@pytest.fixture(scope="module")
def page(work: Path) -> html.HtmlElement:
    assert "3 stages, 10 figures" in write_report(str(work))
    return html.fromstring((work / "report.html").read_bytes())


def figure(page: html.HtmlElement, title: str) -> str:
    """Return the words of the figure with this title, separated by bars."""
    (found,) = [svg for svg in page.iter("svg") if title in svg.text_content()]
    return "|".join(" ".join(text.split()) for text in found.itertext() if text.strip())


@pytest.mark.slow
def test_the_page_is_one_small_file_that_asks_for_nothing(
    work: Path, page: html.HtmlElement, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = (work / "report.html").read_text()
    assert len(raw) < 2_000_000
    assert "default-src 'none'" in raw
    addresses = set(re.findall(r"(?:https?:)?//[\w./#-]+", raw))
    assert {address for address in addresses if "www.w3.org" not in address} == set()
    assert not [*page.iter("script", "img", "link", "iframe", "object")]
    write_report(str(work), str(work.parent / "again.html"))
    assert (work.parent / "again.html").read_text() == raw, "the same stages give the same bytes"
    monkeypatch.chdir(work)
    write_report(".", "../again.html")
    assert (work.parent / "again.html").read_text() == raw, "by its name too, not as '.'"


@pytest.mark.slow
def test_text_of_the_corpus_and_of_dead_letters_stays_text(work: Path, page: html.HtmlElement) -> None:
    shown = page.text_content()
    assert "alert(2)> café" not in "".join(html.tostring(page, encoding="unicode")), "it is escaped"
    assert escape(ATTACK)[:20] in shown, "the bytes of the dead letter"
    one = next(page.iter("pre")).text_content()
    ((whole,),) = duckdb.sql(f"SELECT text FROM '{work}/corpus/train/*.parquet' LIMIT 1").fetchall()
    assert one.strip().startswith(whole[:100])


@pytest.mark.slow
def test_the_figures_show_what_duckdb_counts(work: Path, page: html.HtmlElement) -> None:
    counts = duckdb.sql(
        f"SELECT reason, count(*) FROM '{work}/corpus/decisions/*.parquet' WHERE NOT kept GROUP BY 1"
    ).fetchall()
    assert {name for name, _ in counts} >= {"near_duplicate", "exact_duplicate", "no_text", "too_short"}
    fates = figure(page, "records dropped, by reason").split("|")
    assert "kept" not in fates, "its bar would hide the others"
    names = [name for name, _ in counts]
    order = [word for word in fates if word in names]
    totals = fates[-len(names) - 2 :]  # the labels of the bars, then the title and the legend
    assert sorted(order) == sorted(names)
    labels = [word for word in totals if word.replace(",", "").isdigit()]
    assert labels == [f"{dict(counts)[name]:,}" for name in order]
    sizes = duckdb.sql(
        f"SELECT count(*) + 1 AS size FROM '{work}/corpus/decisions/*.parquet' "
        "WHERE reason IN ('near_duplicate', 'exact_duplicate') GROUP BY cluster"
    ).fetchall()
    clusters = figure(page, "clusters of duplicates")
    assert f"|{sum(size == 3 for (size,) in sizes)}|" in clusters
    words = r"len(regexp_extract_all(text, '\S+'))"
    ((median,),) = duckdb.sql(f"SELECT median({words}) FROM '{work}/corpus/train/*.parquet'").fetchall()
    assert f"pubmed, median {median:,.0f}" in figure(page, "length of documents")


@pytest.mark.slow
def test_every_reason_that_occurs_is_explained(work: Path, page: html.HtmlElement) -> None:
    counted = {
        **read_manifest(str(work / "corpus")).books.dropped,
        **read_manifest(str(work / "records")).books.dropped,
    }
    rows = {
        row[0].text_content(): [cell.text_content() for cell in row[1:]] for row in page.iter("tr") if len(row) == 3
    }
    assert {"near_duplicate", "no_text", "bad_xml"} <= set(counted)
    for reason, count in counted.items():
        assert rows[reason] == [f"{count:,}", meanings(RejectReason).get(reason) or meanings(DropReason)[reason]]


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DARK, LIGHT = 0, 1  # as Blink numbers what the reader prefers


def picture(page: Path, scheme: int, width: int, folder: Path) -> np.ndarray:
    """Return the pixels of a page, a frame of so many of them wide: a window of a browser is never as narrow."""
    frame, shot = folder / f"frame-{width}.html", folder / "shot.png"
    frame.write_text(f'<body style="margin:0"><iframe src="{page}" style="width:{width}px;height:900px;border:0">')
    words = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files")
    size = (f"--blink-settings=preferredColorScheme={scheme}", f"--window-size={max(width, 600)},900")
    command = [str(CHROMIUM), *words, *size, f"--user-data-dir={folder / 'profile'}", f"--screenshot={shot}"]
    subprocess.run([*command, frame.as_uri()], capture_output=True, check=True)
    return np.asarray(Image.open(shot).convert("L"))[:, :width]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_is_as_dark_as_its_reader_likes_and_fits_a_telephone(
    width: int, work: Path, page: html.HtmlElement, tmp_path: Path
) -> None:
    dark, light = (picture(work / "report.html", scheme, width, tmp_path) for scheme in (DARK, LIGHT))
    assert np.median(dark) < 40
    assert np.median(light) > 215
    for shot in (dark, light):  # both edges show the page itself and its rules: nothing is wider than the screen
        assert np.array_equal(shot[:, 0], shot[:, width - 1])
