"""The language of texts: known answers, undecided ones, independence of the batch and the process, and real data."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pycld2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.extract.config import ExtractConfig
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import AbstractPart, Block, BlockKind, Kind, Record, Source
from corpus.stage.manifest import Manifest
from corpus.storage.parquet import read_table
from corpus.synthetic.sample.write import write_sample
from corpus.text import detection
from corpus.text.language import SAMPLE, detect, detect_all, languages_of, main_text
from pipelines.extract import extract

TEXTS = {
    "en": "Serum ferritin was measured in forty children before and after treatment, and the response was poor.",
    "de": "Bei vierzig Kindern wurde der Eisenspiegel im Blut vor und nach der Behandlung bestimmt und verglichen.",
    "fr": "Nous avons mesuré la ferritine chez quarante enfants avant et après le traitement de cette maladie.",
    "es": "Se midió la ferritina en cuarenta niños antes y después del tratamiento, con resultados muy pobres.",
    "it": "Abbiamo misurato la ferritina nel siero di quaranta bambini prima e dopo la cura di questa malattia.",
    "pl": "U czterdziestu dzieci oznaczono stężenie żelaza we krwi przed leczeniem oraz po jego zakończeniu.",
    "ru": "У сорока детей определяли содержание железа в крови до начала лечения и после его окончания.",
    "zh": "我们测定了四十名儿童治疗前后血清中铁的含量，并对结果进行了比较和分析。",
    "ja": "四十人の小児を対象に、治療の前と後で血清中の鉄の量を測定し、その結果を比較した。",
    "el": "Μετρήσαμε τον σίδηρο στο αίμα σαράντα παιδιών πριν και μετά τη θεραπεία της νόσου αυτής.",
    "he": "מדדנו את רמת הברזל בדם של ארבעים ילדים לפני הטיפול במחלה זו ואחריו והשווינו את התוצאות.",
}
UNDECIDED = (
    "",
    " ",
    "Reply.",
    "Ocular pemphigus.",
    "Hypophosphatemia.",
    "Lassa fever",
    "Von Recklinghausen's disease.",
    "12.5 (3.1–19.8), p < 0.001; 0.77; 31%",
    "TP53, EGFR, VEGFA, KRAS, BRAF, PTEN, IL6, TNF, MYC, ERBB2, APOE, STAT3, AKT1",
    "Escherichia coli, Lactobacillus rhamnosus, Staphylococcus aureus, Klebsiella pneumoniae, Serratia marcescens",
    "In memoriam Hans Muster 21.12.1892",
)


@pytest.mark.parametrize("code", TEXTS)
def test_sentences_are_recognised(code: str) -> None:
    assert detect(TEXTS[code]) == code


@pytest.mark.parametrize("text", UNDECIDED)
def test_what_says_too_little_is_undecided(text: str) -> None:
    assert detect(text) == ""


@pytest.mark.parametrize(
    "title",
    [
        "Stomal polypoid hypertrophic gastritis: a polypoid gastric lesion at gastroenterostomy site.",
        "Allergenic character of tetrahydrocannabinol",
        "Deafness, ichthyosiform erythroderma, corneal",
        "Root-knot nematode, Meloidogyne graminicola",
        "Acyl-CoA complexes of general acyl-CoA dehydrogenase",
        "Kaposi's angioreticulosis (sarcoma) of the oral mucosa",
        "In vitro activity of netilmicin, gentamicin, amikacin",
        "Renal lesions in congenital syphilis. A case report",
        "Isoniazid on Mycobacterium tuberculosis",
        "Bourneville's tuberous sclerosis and ocular malformations",
    ],
)
def test_a_title_of_names_is_in_no_language_that_nobody_publishes_in(title: str) -> None:
    for text in (title, title.upper(), title.title(), title.replace(" of ", " "), f"[{title}]"):
        assert detect(text) in ("en", "")


@pytest.mark.slow
@pytest.mark.real_data
def test_parts_of_english_titles_are_hardly_ever_in_another_language(real_data: Path) -> None:
    """Whole titles and short parts of them, also in capitals: what strangers' titles look like."""
    path = str(real_data / "pubmed" / "baseline" / "pubmed20n0014.xml.gz")
    records = (one for one in read_pubmed(path) if isinstance(one, Record) and one.languages == ("eng",))
    words = [one.title.strip("[].").split() for one in records]
    parts = [" ".join(part) for all_ in words for part in (all_, all_[:4], all_[:8], all_[-4:], all_[-8:])]
    answers = Counter(detect_all([*parts, *map(str.upper, parts)]))
    print(f"{answers.total():,} parts of titles: {dict(answers)}")
    wrong = answers.total() - answers["en"] - answers[""]
    assert wrong < 3e-4 * answers.total()
    assert set(answers) <= {"", *detection._IN_LATIN_LETTERS}


def test_a_small_language_with_letters_of_its_own_is_named() -> None:
    assert detect("በአርባ ሕፃናት ላይ ከሕክምናው በፊት እና በኋላ በደም ውስጥ ያለው የብረት መጠን ተለካ።") == "am"


def test_translated_titles_are_english_and_a_name_in_english_words_changes_nothing() -> None:
    assert detect("[Treatment of cardiac arrhythmia in children under five years of age].") == "en"
    german = f"{TEXTS['de']} Bericht der Society for the Study of Blood. {TEXTS['de']}"
    assert detect(german) == "de"


def test_markup_signs_are_text() -> None:
    """`<` is a sign of comparison: read as HTML, everything up to the next `>` would be lost."""
    text = f"Alter < 5 Jahre. {TEXTS['de']} Gewicht > 20 kg."
    assert detect(text) == "de"
    assert detect("p <0.05 " + TEXTS["ru"]) == "ru"


def test_the_answer_depends_on_the_text_alone() -> None:
    texts = [*TEXTS.values(), *UNDECIDED] * 3
    alone = [detect(text) for text in texts]
    for size in (2, 7, len(texts)):
        assert [code for at in range(0, len(texts), size) for code in detect_all(texts[at : at + size])] == alone
    assert detect_all(texts[::-1]) == alone[::-1]
    assert detect_all([]) == []


def test_another_process_answers_the_same() -> None:
    texts = [*TEXTS.values(), *UNDECIDED]
    program = (
        "import json, sys; from corpus.text.language import detect_all; "
        "print(json.dumps(detect_all(json.load(sys.stdin))))"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(texts),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert answers[0] == answers[1]
    assert json.loads(answers[0]) == detect_all(texts)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gets_a_code_or_none(text: str) -> None:
    assert re.fullmatch("([a-z]{2})?", detect(text))


@pytest.mark.parametrize("mark", ["\x00", "\x0b", "\x7f", "\ufffe", "\ue000", "\U000e0001"])
def test_control_characters_do_not_hide_the_language(mark: str) -> None:
    with_marks = TEXTS["de"].replace(" ", f" {mark}")
    assert detect(with_marks) == "de"


def test_only_the_beginning_counts() -> None:
    long = TEXTS["fr"] * 20
    assert detect(long[:SAMPLE]) == detect(long[:SAMPLE] + TEXTS["en"] * 50) == "fr"


def record(**fields: object) -> Record:
    return Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, **fields)  # type: ignore[arg-type]


def test_main_abstract_before_body_and_nothing_else() -> None:
    other = AbstractPart(type="Publisher", language="ger", text=TEXTS["de"])
    parts = (AbstractPart(label="AIM", text="To see."), AbstractPart(label="METHODS", text=TEXTS["fr"]))
    heading = Block(kind=BlockKind.HEADING, text="Introduction")
    body = (heading, Block(kind=BlockKind.PARAGRAPH, text=TEXTS["ru"]))
    assert main_text(record(abstracts=(other, *parts), body=body)) == f"To see. {TEXTS['fr']}"
    assert main_text(record(abstracts=(other,), body=body)) == TEXTS["ru"]
    assert main_text(record(abstracts=(other,))) == ""
    assert len(main_text(record(abstracts=parts * 20))) == SAMPLE


def test_titles_and_texts_of_records() -> None:
    records = [
        record(title=f"[{TEXTS['en']}]", vernacular_title=TEXTS["de"], abstracts=(AbstractPart(text=TEXTS["fr"]),)),
        record(vernacular_title=TEXTS["de"]),
        record(title="Sepsis."),
    ]
    assert languages_of(records) == (["en", "de", ""], ["fr", "", ""])


def test_extract_fills_both_columns(tmp_path: Path) -> None:
    sample = write_sample(str(tmp_path / "raw"), scale=0.02)
    config = ExtractConfig(pubmed=sample.pubmed, pmc=(sample.pmc_tree, sample.pmc_tar))
    manifest = extract(config, output=str(tmp_path / "records"))
    assert isinstance(manifest, Manifest)
    columns = ("kind", "title_language", "text_language", "abstracts", "languages")
    rows = [
        row
        for path in manifest.paths(str(tmp_path / "records"), "records")
        for row in read_table(path, columns).to_pylist()
    ]
    counts = Counter(row["text_language"] for row in rows if row["abstracts"])
    assert counts["en"] > 0.9 * counts.total()
    assert counts["de"] >= 1
    assert counts["ru"] >= 1
    assert all(row["text_language"] == "" == row["title_language"] for row in rows if row["kind"] == "deletion")
    german = [row for row in rows if row["languages"] == ["ger"] and row["text_language"] == "en"]
    assert german  # decided from the text, whatever `Language` says
    assert sum(row["title_language"] == "en" for row in rows) > 0.7 * len(rows)


@pytest.mark.slow
@pytest.mark.real_data
def test_real_citations(real_data: Path) -> None:
    """Every abstract of the 2020 baseline file is English; titles in 20 languages stand beside the English ones."""
    codes = {"ger": "de", "fre": "fr", "ita": "it", "pol": "pl", "cze": "cs", "spa": "es", "rum": "ro", "dan": "da"}
    path = str(real_data / "pubmed" / "baseline" / "pubmed20n0014.xml.gz")
    records = [one for one in read_pubmed(path) if isinstance(one, Record)]
    titles, texts = languages_of(records)
    with_text = [code for one, code in zip(records, texts, strict=True) if main_text(one)]
    assert len(with_text) > 14_000
    assert set(with_text) <= {"en", ""}
    assert with_text.count("") < 0.001 * len(with_text)
    english = [code for one, code in zip(records, titles, strict=True) if one.languages == ("eng",)]
    print(f"titles of {len(english):,} English articles: {Counter(english).most_common(5)}")
    assert sum(code not in ("en", "") for code in english) <= 4
    assert english.count("") < 0.04 * len(english)
    own = [(codes[one.languages[0]], one.vernacular_title) for one in records if one.vernacular_title
           and len(one.languages) == 1 and one.languages[0] in codes]  # fmt: skip
    found = Counter(
        "right" if code == stated else code and ("en" if code == "en" else "other")
        for (stated, _), code in zip(own, detect_all([title for _, title in own]), strict=True)
    )
    print(f"vernacular titles of {len(own):,} articles: {dict(found)}")
    assert found["right"] > 0.7 * len(own)
    assert found["en"] < 0.04 * len(own)


@pytest.mark.slow
@pytest.mark.real_data
def test_function_words_never_contradict_the_library(real_data: Path) -> None:
    """The short cut says English only where CLD2 says so too, or is unsure; one title is Scots (sco) to it."""
    path = str(real_data / "pubmed" / "baseline" / "pubmed20n0014.xml.gz")
    records = [one for one in read_pubmed(path) if isinstance(one, Record)]
    texts = [text for one in records for text in (one.title, one.vernacular_title, main_text(one)) if text]
    plain = detection._is_plain_english(pa.array([text[: detection._HEAD] for text in texts])).to_pylist()
    answers = Counter()
    for text in (text for text, known in zip(texts, plain, strict=True) if known):
        sure, _, found = pycld2.detect(text, isPlainText=True)
        answers[found[0][1] if sure else "unsure"] += 1
    print(f"{answers.total():,} of {len(texts):,} texts are plain English; CLD2 says {dict(answers)}")
    assert answers.total() > 0.5 * len(texts)
    assert set(answers) <= {"en", "unsure", "sco"}
    assert answers["en"] > 0.999 * answers.total()
