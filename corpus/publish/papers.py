"""Papers of a published corpus: NOTICE, a datasheet, and the EU's summary of training content.

Every number is from a manifest. What only a person knows has a mark of its own, and no heading is left empty.
"""

import json
from collections.abc import Sequence
from typing import Any

from corpus.publish.card import funnel_rows, license_rows, table
from corpus.publish.config import NLM, PERSON, SUBSET_NAMES
from corpus.publish.overview import Overview
from corpus.publish.sources import CorpusSources

NOTICE, DATASHEET = "NOTICE", "DATASHEET.md"
TRAINING_CONTENT, TRAINING_CONTENT_JSON = "TRAINING_CONTENT.md", "training_content.json"
_LICENSE_HEADS = ("source", "licence", "texts", "bytes of text")


def notice(sources: CorpusSources, overview: Overview) -> str:
    """Return the text of NOTICE: whose the texts are, and what a licence asks of whoever passes them on."""
    counts = [f"  {count:>12} texts  {source:<6}  {name}" for source, name, count, _ in license_rows(overview.licenses)]
    named = (
        "attribution.parquet names title, authors, journal, year, address and licence of every text."
        if sources.has_metadata
        else "attribution.parquet names title, journal, year, address and licence of every text. It names no authors:\n"
        "the records were extracted without --metadata."
    )
    return "\n".join(
        [
            f"{overview.title}\n",
            NLM,
            sources.age,
            "\nThe texts belong to their authors and publishers. Each has the licence of its column `license`:\n",
            *counts,
            f"\n{named}\n",
            "Creative Commons BY asks whoever passes a text on to name authors, licence and that it was changed:",
            "these texts are rendered from XML, without references and some sections, so all of them were changed.",
            "SA asks for the same licence on adaptations, ND forbids to share adaptations, NC forbids commercial use.",
            "`none stated` and `TDM` allow no more than the law of your country; PubMed's abstracts are among them.",
            "\nThe compilation was made by corpuscle, whose code is under Apache-2.0. This is no legal advice.\n",
        ]
    )


_Answers = tuple[tuple[str, str], ...]


def datasheet(sources: CorpusSources, overview: Overview) -> str:
    """Return the text of the datasheet, by the questions of Gebru et al. (Datasheets for Datasets)."""
    chapters = (
        ("Motivation", (("Why was it made, by whom, paid by whom?", PERSON),)),
        ("Composition", _composition(sources, overview)),
        ("Collection", _collection(sources)),
        ("Processing", _processing(sources, overview)),
        ("Uses", _USES),
        ("Distribution", (("To whom, under which terms?", f"By text, see NOTICE. {PERSON}"),)),
        ("Maintenance", (("Who answers, and how is a text removed?", PERSON),)),
    )
    body = "\n\n".join(
        f"## {title}\n\n" + "\n\n".join(f"**{question}** {answer}" for question, answer in answers)
        for title, answers in chapters
    )
    return f"# Datasheet: {overview.title}\n\n{body}\n"


_USES: _Answers = (
    ("What for?", "Training and studying language models of biomedical text."),
    (
        "What not for?",
        "No medical advice: papers are wrong, outdated or withdrawn later, and nobody checked them for a patient.",
    ),
    ("Has it been used, and are there known harms?", PERSON),
)


def _composition(sources: CorpusSources, overview: Overview) -> _Answers:
    books = sources.assemble.books
    subsets = "; ".join(
        f"{SUBSET_NAMES[use]}: " + ", ".join(f"{split} {count:,}" for split, count in subset.rows.items())
        for use, subset in overview.subsets.items()
    )
    return (
        ("What is an instance?", "The text of a citation, an article, or a review or reply inside an article."),
        ("How many?", f"{overview.rows:,}, {overview.text_bytes:,} bytes of text."),
        ("Is it a sample?", f"{books.read:,} records were read, {sum(books.dropped.values()):,} dropped by rule."),
        ("Which splits?", f"{subsets}. Resembling texts are in one split, by the hash of their cluster."),
        ("Is it self-contained?", "Yes; figures and supplements are not in it."),
        (
            "Is anything confidential or about people?",
            "Published papers. Authors are named in `attribution.parquet`; texts may hold case reports, and addresses "
            "of authors were not removed.",
        ),
    )


def _collection(sources: CorpusSources) -> _Answers:
    return (
        ("How and from where?", f"NCBI's files of PubMed and PubMed Central. {sources.age}"),
        ("Was anyone asked?", "Licences are those that the publishers state; see NOTICE."),
        ("When, and by whom?", PERSON),
    )


def _processing(sources: CorpusSources, overview: Overview) -> _Answers:
    settings = ", ".join(f"{name} {value}" for name, value in sorted(sources.assemble.config.items()))
    return (
        ("What was done?", f"Parsing (revision {sources.extract.revision}), then: {settings}."),
        ("Is the raw data kept?", f"Not here. Its files are inputs of `{sources.extract.fingerprint[:16]}`."),
        ("Is the software there?", f"corpuscle {overview.version}, Apache-2.0."),
    )


def training_content(sources: CorpusSources, overview: Overview) -> dict[str, Any]:
    """Return the EU's public summary of training content (C(2025) 8311), as far as manifests know it."""
    return {
        "1_general_information": {
            "1.1_provider": {"name_and_contact": PERSON, "authorised_representative": PERSON},
            "1.2_model": {"names_and_versions": PERSON, "dependencies": PERSON, "placed_on_the_market": PERSON},
            "1.3_training_data": {
                "modalities": ["text"],
                "size": {"texts": overview.rows, "bytes": overview.text_bytes},
                "types_of_content": ["scientific papers", "abstracts of scientific papers"],
                "languages": list(sources.assemble.config.get("languages") or ()) or ["any"],
                "latest_data": sources.age,
            },
        },
        "2_list_of_data_sources": {
            "2.1_publicly_available_datasets": [
                {"name": "PubMed", "link": "https://pubmed.ncbi.nlm.nih.gov/download/"},
                {"name": "PubMed Central, open data", "link": "https://pmc.ncbi.nlm.nih.gov/tools/pmcaws/"},
            ],
            "2.2_private_datasets": {"used": False},
            "2.3_crawled_from_websites": {"used": False},
            "2.4_user_data": {"used": False},
            "2.5_synthetic_data": {"used": False},
            "2.6_other_sources": {"used": PERSON},
        },
        "3_data_processing": _data_processing(sources, overview),
    }


def _data_processing(sources: CorpusSources, overview: Overview) -> dict[str, Any]:
    settings = sources.assemble.config
    return {
        "3.1_reservations_of_rights": {
            "licences": overview.licenses,
            "measure": "texts whose licence does not allow the use asked for are dropped and counted",
            "setting": settings.get("license"),
            "further_measures": PERSON,
        },
        "3.2_illegal_content": {
            "measure": f"papers that PubMed or PMC call retracted: {settings.get('retracted')}",
            "further_measures": PERSON,
        },
        "3.3_other": {"dropped_by_reason": dict(sources.assemble.books.dropped)},
    }


def training_content_text(content: dict[str, Any], sources: CorpusSources, overview: Overview) -> str:
    """Return the summary as Markdown: the same facts, and tables of licences and of what was dropped."""
    lines = [f"# Public summary of training content: {overview.title}", ""]
    lines += [
        "By the template of the European Commission, C(2025) 8311. One data set of a model's; not legal advice.",
        "",
    ]
    for title, section in content.items():
        lines += [f"## {_words(title)}", ""]
        for name, value in section.items():
            lines += [f"### {_words(name)}", "", *_bullets(value), ""]
    licenses = table(_LICENSE_HEADS, license_rows(overview.licenses))
    books = table(("stage", "what", "records"), funnel_rows([("assemble", sources.assemble.books)]))
    return "\n".join([*lines, f"## Licences\n\n{licenses}\n", f"## Records\n\n{books}\n"])


def training_content_json(content: dict[str, Any]) -> str:
    """Return the summary for machines."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _bullets(value: Any) -> Sequence[str]:
    if isinstance(value, dict):
        return [f"- {_words(name)}: {_phrase(one)}" for name, one in value.items()]
    return [f"- {_phrase(one)}" for one in value] if isinstance(value, list) else [str(value)]


def _phrase(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if any(
            isinstance(one, dict) and any(isinstance(deep, dict) for deep in one.values()) for one in value.values()
        ):
            return "see the table below"
        return "; ".join(f"{_words(name)} {_phrase(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_phrase, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _words(name: str) -> str:
    number, _, rest = name.partition("_")
    text = rest if number[:1].isdigit() else name
    return (f"{number} " if number[:1].isdigit() else "") + text.replace("_", " ")
