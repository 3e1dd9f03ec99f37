"""Which abstract is printed: of one record, and of a batch, which must agree."""

from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.records import AbstractPart, Kind, Record, Source
from corpus.storage.schema import to_table
from corpus.text.abstracts import are_printed, printed_parts
from corpus.text.render import render

ENGLISH = (
    "We weighed forty kids twice in winter and found that they had lost a tenth of their weight by spring, "
    "and that those in the sheds had lost less."
)
SPANISH = (
    "Se estudiaron cuarenta pacientes con diabetes durante dos años; la presión arterial disminuyó en el grupo tratado "
    "y no hubo diferencias entre los hombres y las mujeres."
)
PARTS = st.builds(
    AbstractPart,
    type=st.sampled_from(["main", "PIP", "KIE", "plain-language-summary"]),
    language=st.sampled_from(["", "eng", "fre"]),
    text=st.sampled_from(["", "Rates fell.", "They rose.", ENGLISH, SPANISH]),
    label=st.sampled_from(["", "AIM"]),
)


def record(*parts: AbstractPart) -> Record:
    return Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, pmid=1, abstracts=parts)


def test_an_english_other_abstract_is_printed_where_there_is_no_main_one() -> None:
    other = AbstractPart(type="PIP", language="eng", text="Rates fell.")
    assert render(record(other)) == "Rates fell."
    assert render(record(other, AbstractPart(text="They rose."))) == "They rose."
    assert render(record(AbstractPart(label="AIM"), other)) == "Rates fell."
    assert render(record(AbstractPart(type="KIE", language="fre", text="Les taux."), other)) == "Rates fell."
    assert render(record(other, AbstractPart(type="KIE", language="eng", text="Again."), other)) == (
        "Rates fell.\n\nRates fell."
    )


def test_of_two_languages_the_english_half_is_printed() -> None:
    english, spanish = AbstractPart(text=ENGLISH), AbstractPart(label="RESUMEN", text=SPANISH)
    assert render(record(english, spanish)) == render(record(spanish, english)) == ENGLISH
    assert render(record(AbstractPart(text=SPANISH), AbstractPart(text=SPANISH))) == f"{SPANISH}\n\n{SPANISH}"
    assert render(record(AbstractPart(text="Rates fell."), spanish)) == f"Rates fell.\n\nRESUMEN: {SPANISH}"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PARTS, max_size=4), min_size=1, max_size=5))
def test_a_batch_prints_the_parts_that_its_records_do(abstracts: list[list[AbstractPart]]) -> None:
    column = to_table([record(*parts) for parts in abstracts], Record).column("abstracts").combine_chunks()
    flat = [part for parts in abstracts for part in parts]
    printed = [part for part, keep in zip(flat, are_printed(column).tolist(), strict=True) if keep]
    assert printed == [part for parts in abstracts for part in printed_parts(parts)]
