"""Headings are told by their words: every spelling of a declaration, and none of a matter of the paper."""

import pytest

from corpus.text.headings import CAPS, OPTIONAL, kind_of

KINDS = {
    "data availability": (
        "Data Availability Statement|DATA ACCESSIBILITY|Availability of data and materials|Data sharing|Code "
        "availability|Data and code availability|Accession number(s).|Availability of supporting "
        "data|Reporting summary|Data Transparency|Transparency declaration|Open Practices|Data Statement"
    ),
    "funding": (
        "Role of the funding source|Sources of Funding|Funding/Support|Grant support|Sponsor|Financial "
        "support|Role of the Funder/Sponsor|Funding statement|Study funding|GRANTS|Open access funding"
    ),
    "conflicts of interest": (
        "Conflict‐of‐Interest Disclosures|Disclosure of potential conflicts of "
        "interest|Disclosures|Declaration of Competing Interest|Competing financial interests|Duality of "
        "interest|5. COMPETING INTERESTS:|COI|Study funding/competing interest(s)|"
        "Dualities of interest|Non‐financial interests|Industry affiliations|Conflicts of interest: none declared"
    ),
    "contributions": (
        "Authors’ contributions|Contributions by the Authors|CRediT authorship contribution "
        "statement|Contributorship statement|Author Contributions|Contributors|Credit taxonomy"
    ),
    "authors": ("Authors' information|Author affiliations|Author details"),
    "acknowledgements": ("Acknowledgements|Acknowledgment|Acknowlegements|Aknowledgements"),
    "correspondence": ("Address for correspondence|Correspondence|Contact information|E-mail address|Contacts"),
    "supplement": (
        "Supplementary material|Supporting Information|Additional files|Additional file 1|Electronic "
        "supplementary material|Supplemental Information|Web extra material|Multimedia Appendix 1|Video abstract"
    ),
    "review": ("Peer review|Pre-publication history|Provenance and peer review|Peer reviewers"),
    "publisher": (
        "Publisher’s Note|Permission to Reproduce Material|Disclaimer|Rights and permissions|Article information|"
        "About this article|Citation|Prior publication"
    ),
    "keywords": ("Keywords|KEY WORDS|Key-words|Index terms"),
    "members": ("Members of the Goat Trial Group|TRUST Study Investigators|Collaborators|Participating centers"),
    "references": ("References|REFERENCES CITED|Literature cited|Bibliography|Further reading|Suggested readings"),
    "declarations": ("Declarations|Declaration of generative AI in scientific writing"),
    "ethics": (
        "Ethics Statement|Ethical approval|Ethics approval and consent to participate|Informed "
        "consent|Institutional Review Board Statement|Ethics|Ethical considerations|Ethical disclosures|"
        "Statement on the welfare of animals"
    ),
    "registration": ("Trial registration|Clinical trial registration number|Level of evidence|TRIAL REGISTRATION DATE"),
    "abbreviations": ("Abbreviations|List of abbreviations used"),
    "": (
        "Conflict resolution|Intralocus sexual conflict|Funding of primary care|Image registration|Consent "
        "rate|Results|Study group|Focus group members|Author summary|Reference standard|Literature "
        "search|Data collection|Ethics of care|Supplementary analysis|Additional analyses|Access to "
        "care|Contact tracing|Correspondence analysis|Competing risks|Review|Control "
        "group|Appendix|Protocol|Peer support|Social support|Interest in goats|Data analysis|Animal models|"
        "Transparency of the cornea|Support|Author name disambiguation|Endnotes|Open data in ecology|Key findings|"
        "Citation analysis|Article selection|Reading tests"
    ),
}


@pytest.mark.parametrize(("kind", "heading"), [(kind, one) for kind, all_ in KINDS.items() for one in all_.split("|")])
def test_kind_of_a_heading(kind: str, heading: str) -> None:
    assert kind_of(heading) == kind
    assert kind_of(f" 4.2 {heading.upper()} : ") == kind


def test_every_kind_has_a_cap_and_a_case() -> None:
    assert set(KINDS) - {""} == set(CAPS)
    assert set(OPTIONAL) <= set(CAPS)
