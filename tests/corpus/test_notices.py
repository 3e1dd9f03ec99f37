"""Notices that end an abstract go, whatever their wording; sentences about the same things stay."""

import pytest

from corpus.notices import is_no_abstract, without_notices

NOTICES = [
    "© 2004 Wiley-Liss, Inc.",
    "© The Author(s) 2020. Published by Oxford University Press on behalf of the Society.",
    "Copyright © 2012 John Wiley & Sons, Ltd.",
    "Copyright (c) 1999 Academic Press.",
    "(c) 2004 Wiley-Liss, Inc.",
    "Crown Copyright © 2010. Published by Elsevier B.V. All rights reserved.",
    "Published by Elsevier Ltd.",
    "Published 2019. This article is a U.S. Government work and is in the public domain in the USA.",
    "All rights reserved.",
    "This article is protected by copyright. All rights reserved.",
    "(PsycInfo Database Record (c) 2021 APA, all rights reserved).",
    "(PsycINFO Database Record",
    "PsycINFO Database Record (c) 2016 APA, all rights reserved.",
    "(ABSTRACT TRUNCATED AT 250 WORDS)",
    "(ABSTRACT TRUNCATED)",
    "See Video Abstract at http://links.lww.com/DCR/B123.",
    "A video abstract is available at https://youtu.be/abc.",
    "Video abstract: http://links.example.org/1.",
    "[Video: see text].",
    "This article is part of the theme issue ‘Machine learning for weather’.",
    "This article is part of a Special Issue entitled: Calcium signalling. Guest Editors: A. Smith.",
    "This article is part of a themed section on Chaperones. To view the other articles in this section visit http://x.org/i.",
    "This article is categorized under: Neurological Diseases > Stem Cells.",
    "The online version contains supplementary material available at 10.1186/s12864-021-07718-8.",
    "The online version of this article (doi:10.1007/s1) contains supplementary material, which is available to "
    "authorized users.",
    "Supplementary data are available at Bioinformatics online.",
    "Supplemental information for this article is available online.",
    "Additional supporting information may be found in the online version of this article.",
    "How to cite this article: Smith J. Goats. J Goats 2021;3:4-5.",
    "J Goats 2021;3(2):104-115.",
    "Muscle Nerve 53: 1-5, 2016.",
    "DOI: http://dx.doi.org/10.7554/eLife.00003.001",
    "doi:10.1002/hep.123.",
    "CONTACT: a.smith@example.org.",
    "E-mail: a.smith@example.org",
    "2021 © The authors.",
    "(c) 2015 APA, all rights reserved).",
    "This is an open-access article distributed under the terms of the Creative Commons Attribution License.",
    "For permission to reuse, please contact permissions@example.org.",
    "[ABSTRACT TRUNCATED]",
    "(Abstract truncated)",
    "[References: 35].",
    "(81 ref)",
    "[Figure: see text].",
    "See also the editorial by Smith et al in this issue.",
    "(See related commentary, p. 12.)",
    "Final online publication date for the Annual Review of Goats, Volume 10 is October 2022.",
    "Please see later in the article for the Editors' Summary.",
    "This corrects the article DOI: 10.1103/PhysRevGoat.1.1.",
    "Online supplemental material is available for this article.",
    "Supplemental Digital Content is available for this article.",
    "Electronic supplementary material is available.",
    "Goat Res; 76(5); 1-10.",
    "KEYWORDS: goat; hill; rain.",
    "Key words: goat, hill, rain",
]
SENTENCES = [
    "All about copyright.",
    "Copyright law restricts the use of images.",
    "Capsules with Eudragit© L30D-55.",
    "Three ways: (a) one; (b) two. (c) 2004 patients came.",
    "Video abstracts were watched by more readers than text.",
    "Supplementary data from the registry were analysed.",
    "Supplemental information changed their minds.",
    "This article is part of a wider debate on goats.",
    "The ratio was 3:4-5 in 2016.",
    "Patients were contacted by e-mail.",
    "The authors published by invitation.",
    "We searched PsycINFO and Embase.",
    "The code is available at http://example.org/code.",
    "Goats were born in 2021; 3 of 4 survived.",
    "This is an open question for goats.",
    "Permission was given by the herd.",
    "See the editorial policy for goats.",
    "Key words were searched in two bases.",
    "Goats were truncated (28 references).",
    "Commentary on goats was found in this issue of the valley.",
]


@pytest.mark.parametrize("notice", NOTICES)
def test_a_notice_at_the_end_goes(notice: str) -> None:
    assert without_notices(f"Goats climb hills. {notice}") == ("Goats climb hills.", notice)
    assert without_notices(notice) == ("", notice)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_about_such_things_stays(sentence: str) -> None:
    assert without_notices(f"Goats climb. {sentence}") == (f"Goats climb. {sentence}", "")
    assert without_notices(f"{sentence} Goats climb.") == (f"{sentence} Goats climb.", "")


@pytest.mark.parametrize("notice", NOTICES)
def test_a_notice_before_the_end_stays(notice: str) -> None:
    if (
        "©" not in notice
        and "(c)" not in notice
        and not any(word in notice for word in ("cite", "Publ", "Psyc", "Guest", "open-access", "permission"))
    ):
        text = f"Goats climb. {notice.rstrip('.')}. So we walked on and saw that all goats had gone up the hills."
        assert without_notices(text) == (text, "")


def test_several_notices_go_together() -> None:
    tail = "J Goats 2021;3:4-5. © 2021 Goat Press. All rights reserved.(ABSTRACT TRUNCATED AT 250 WORDS)"
    assert without_notices(f"Goats climb. {tail}") == ("Goats climb.", tail)
    assert without_notices("Goats climb in the(ABSTRACT TRUNCATED AT 400 WORDS)")[0] == "Goats climb in the"


@pytest.mark.parametrize(
    "text",
    [
        "Not available.",
        "[Not Available]",
        "No abstract available.",
        "Abstract not available",
        "[Abstract unavailable.]",
    ],
)
def test_texts_that_say_there_is_no_abstract(text: str) -> None:
    assert is_no_abstract(text)


@pytest.mark.parametrize("text", ["None of the goats came.", "No abstract idea.", "Data are not available."])
def test_texts_that_say_something(text: str) -> None:
    assert not is_no_abstract(text)
