"""An abstract is in the corpus once, whatever its article holds, and however and in which order the two came."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from corpus.assemble import facts
from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import SPLITS, read_manifest
from corpus.storage.parquet import read_table
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from tests.pipelines.assemble.test_orders import committed

TITLE = "Cold nights and the milk of goats in the upper valley"
ABSTRACT = (
    "We weighed the milk of forty goats on ninety mornings of one winter and asked whether a cold night in the hills "
    "makes it less. Milk fell by a tenth after each night of frost, and it came back within two days when the goats "
    "were fed at dusk. Keepers who close the southern door of the stable lose no milk at all."
)
BODY = (
    "Goats are kept in the valley since the time of the first settlers, and little has been written about them. "
    "Each goat was milked by the same keeper, in the same place and at the same hour, and the milk was weighed on "
    "a scale that had been tested against three weights of brass in the week before the winter began."
)
FRENCH = (
    "Nous avons pesé le lait de quarante chèvres pendant quatre-vingt-dix matins d'un hiver et nous avons demandé si "
    "une nuit froide dans les collines en diminue la quantité, ce qui fut le cas dans presque tous les troupeaux."
)
ABSTRACTS = {
    "none": "",
    "as printed": f"<abstract><p>{ABSTRACT}</p></abstract>",
    "executive summary": f'<abstract abstract-type="executive-summary"><p>{ABSTRACT}</p></abstract>',
    "unknown type": f'<abstract abstract-type="of-some-new-kind"><p>{ABSTRACT}</p></abstract>',
    "teaser": "<abstract><p>Milk and frost.</p></abstract>",
    "picture": '<abstract abstract-type="graphical"><p><graphic/>Milk and frost.</p></abstract>',
    "heading alone": "<abstract><title>Abstract</title></abstract>",
    "another language": f'<abstract xml:lang="fr"><p>{FRENCH}</p></abstract>',
    "translated": f'<trans-abstract xml:lang="fr"><p>{FRENCH}</p></trans-abstract>',
}


def article(pmcid: int, ids: dict[str, object], abstract: str, body: str) -> str:
    own = "".join(f'<article-id pub-id-type="{kind}">{value}</article-id>' for kind, value in ids.items())
    return (
        f'<article article-type="research-article"><front><article-meta><article-id pub-id-type="pmc">{pmcid}'
        f"</article-id>{own}<title-group><article-title>{TITLE}</article-title></title-group>{abstract}"
        f"</article-meta></front>{body}</article>"
    )


def citation(pmid: int, ids: dict[str, object], text: str = ABSTRACT, version: int = 1) -> str:
    own = "".join(f'<ArticleId IdType="{kind}">{value}</ArticleId>' for kind, value in ids.items())
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="{version}">{pmid}</PMID><Article><ArticleTitle>{TITLE}'
        f"</ArticleTitle><Abstract><AbstractText>{text}</AbstractText></Abstract></Article></MedlineCitation>"
        f"<PubmedData><ArticleIdList>{own}</ArticleIdList></PubmedData></PubmedArticle>"
    )


def write(folder: Path, citations: Sequence[str], articles: dict[int, str]) -> ExtractConfig:
    folder.mkdir()
    files = []
    for number, record in enumerate(citations, 1):
        files.append(folder / f"pubmed26n{number:04d}.xml")
        files[-1].write_text(f"<PubmedArticleSet>{record}</PubmedArticleSet>")
    for pmcid, raw in articles.items():
        (folder / f"PMC{pmcid}.1.xml").write_text(raw)
    pmc = tuple(str(folder / f"PMC{pmcid}.1.xml") for pmcid in articles)
    return ExtractConfig(pubmed=tuple(map(str, files)), pmc=pmc)


def run(inputs: ExtractConfig, output: Path, *, update: bool = False) -> tuple[dict[str, str], dict[str, Any]]:
    """Run both stages; return the texts of the corpus, and the decisions, by document."""
    extract(inputs, output=str(output / "records"), update=update)
    config = AssembleConfig(validation=0.2, test=0.2)
    assemble(config, records=str(output / "records"), output=str(output / "corpus"), update=update)
    manifest = read_manifest(str(output / "corpus"))
    tables = [read_table(path) for role in SPLITS for path in manifest.paths(str(output / "corpus"), role)]
    rows = [row for table in tables for row in table.to_pylist()]
    decided = [read_table(path).to_pylist() for path in manifest.paths(str(output / "corpus"), "decisions")]
    return {row["doc_id"]: row["text"] for row in rows}, {row["doc_id"]: row for part in decided for row in part}


IN_BODY = f"<body><sec><title>Introduction</title><p>{BODY}</p></sec></body>"
PAIRS = {
    **{name: (abstract, IN_BODY) for name, abstract in ABSTRACTS.items()},
    "in the body": ("", f"<body><sec><title>Summary</title><p>{ABSTRACT}</p></sec><sec><p>{BODY}</p></sec></body>"),
    "in the body, a teaser before": (ABSTRACTS["teaser"], f"<body><p>{ABSTRACT}</p><p>{BODY}</p></body>"),
    "no body": (ABSTRACTS["as printed"], ""),
    "no body, a teaser": (ABSTRACTS["teaser"], ""),
}


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, Any], dict[str, int]]:
    """Return texts and decisions of a pair of citation and article of each kind, by each id, and which is where."""
    numbers = {name: 1000 + 10 * place for place, name in enumerate(PAIRS)}
    citations, articles = [], {}
    for name, (abstract, body) in PAIRS.items():
        for place, kind in enumerate(("pmc", "pmid", "doi")):
            pmid = numbers[name] + place
            pmcid = pmid + 500_000
            # Each pair with words of its own, or all would be duplicates of one another.
            texts = [text.replace("goat", f"goat{pmid}").replace("milk", f"milk{pmid}") for text in (abstract, body)]
            own = ABSTRACT.replace("goat", f"goat{pmid}").replace("milk", f"milk{pmid}")
            on_citation = {"pmc": {"pmc": f"PMC{pmcid}"}, "doi": {"doi": f"10.1000/{pmid}"}}.get(kind, {})
            on_article = {"pmid": {"pmid": pmid}, "doi": {"doi": f"10.1000/{pmid}"}}.get(kind, {})
            citations.append(citation(pmid, on_citation, own))
            articles[pmcid] = article(pmcid, on_article, *texts)
    folder = tmp_path_factory.mktemp("kinds")
    return *run(write(folder / "raw", citations, articles), folder), numbers


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("place", range(3))
def test_the_abstract_is_there_once(every_kind: tuple, kind: str, place: int) -> None:
    texts, decisions, numbers = every_kind
    pmid = numbers[kind] + place
    own = [text for text in texts.values() if f"forty goat{pmid}s on ninety mornings" in text]
    assert len(own) == 1
    assert own[0].count("lose no milk") == 1
    names = f"pmid:{pmid}", f"pmc:PMC{pmid + 500_000}.1"
    assert decisions[names[0]]["kept"] or decisions[names[0]]["survivor"] == names[1]
    if decisions[names[0]]["kept"] and decisions[names[1]]["kept"] and "no body" not in kind:
        assert decisions[names[0]]["matched"] == names[1], "the decision says beside what it stays"
        assert decisions[names[0]]["split"] == decisions[names[1]]["split"], "a paper is held out whole"
    if kind in ("as printed", "in the body", "in the body, a teaser before"):
        assert decisions[names[0]]["reason"] == "full_text_kept"


def test_orders_and_updates_give_the_same_bytes(tmp_path: Path) -> None:
    pairs = [("none", 1), ("as printed", 2), ("teaser", 3)]
    citations = [citation(number, {"pmc": f"PMC{number}"}, ABSTRACT.replace("goats", name)) for name, number in pairs]
    citations += [citation(1, {"pmc": "PMC1"}, ABSTRACT.replace("goats", "sheep")), citation(2, {}, "Lost.", version=2)]
    articles = {
        number: article(number, {}, ABSTRACTS[name].replace("goats", name), IN_BODY.replace("Goats", name))
        for name, number in pairs
    }
    whole = write(tmp_path / "raw", citations, articles)
    run(whole, tmp_path / "once")
    expected = committed(tmp_path / "once")
    backwards = whole.model_copy(update={"pubmed": whole.pubmed[::-1], "pmc": whole.pmc[::-1]})
    run(backwards, tmp_path / "backwards")
    assert committed(tmp_path / "backwards") == expected
    for name, first in (
        ("articles later", whole.model_copy(update={"pmc": ()})),
        ("citations later", whole.model_copy(update={"pubmed": ()})),
        ("a revision later", whole.model_copy(update={"pubmed": whole.pubmed[:3]})),
    ):
        run(first, tmp_path / name, update=True)
        run(whole, tmp_path / name, update=True)
        assert committed(tmp_path / name) == expected, name


def test_what_stays_beside_is_counted_and_said(tmp_path: Path) -> None:
    inputs = write(tmp_path / "raw", [citation(1, {"pmc": "PMC1"})], {1: article(1, {}, "", IN_BODY)})
    run(inputs, tmp_path)
    assert read_manifest(str(tmp_path / "corpus")).summary[facts.ABSTRACTS_BESIDE_FULL_TEXTS] == 1


def test_pairs_that_notation_hides_are_one_document_each(tmp_path: Path) -> None:
    """Subscripts, decimal commas and a capital in a title, spaces around operators: cut down from real pairs."""
    data = Path(__file__).parents[2] / "data" / "dedup_pairs"
    inputs = ExtractConfig(pubmed=(str(data / "pubmed26n9001.xml"),), pmc=(str(data / "PMC900010.1.xml"),))
    texts, decisions = run(inputs, tmp_path)
    assert set(texts) == {"pmc:PMC900010.1", "pmid:90000011", "pmid:90000013"}
    survivors = {name: row["survivor"] for name, row in decisions.items() if not row["kept"]}
    assert survivors == {
        "pmid:90000010": "pmc:PMC900010.1",
        "pmid:90000012": "pmid:90000011",
        "pmid:90000014": "pmid:90000013",
    }


def test_an_erratum_that_prints_the_whole_abstract_again_goes(tmp_path: Path) -> None:
    """It is newer and longer, and goes all the same."""
    again = citation(1, {}, f"{ABSTRACT} The name was wrong.").replace(TITLE, f"Erratum: {TITLE}")
    inputs = write(tmp_path / "raw", [again, citation(2, {})], {})
    texts, decisions = run(inputs, tmp_path)
    assert set(texts) == {"pmid:2"}
    assert decisions["pmid:1"]["survivor"] == "pmid:2"
    assert decisions["pmid:1"]["reason"] == "near_duplicate"


@pytest.mark.parametrize("ids", [{"doi": "10.1000/A"}, {"pmc": "PMC9"}])
def test_two_citations_of_one_id_are_one_paper(tmp_path: Path, ids: dict[str, object]) -> None:
    """An edited text, less alike than a near duplicate, and an unlike one."""
    words = ABSTRACT.split()
    edited = " ".join("x" if place % 23 == 7 else word for place, word in enumerate(words))
    lower = {name: str(value).lower() if name == "doi" else value for name, value in ids.items()}
    inputs = write(tmp_path / "raw", [citation(1, ids), citation(2, lower, edited), citation(3, ids, BODY)], {})
    texts, decisions = run(inputs, tmp_path)
    assert set(texts) == {"pmid:1", "pmid:3"}
    assert decisions["pmid:2"]["reason"] == "same_id"
    assert decisions["pmid:2"]["survivor"] == "pmid:1"
    assert 0.3 < decisions["pmid:2"]["score"] < 0.8
