"""Licences by SPDX name, from links, prose or PMC's code."""

import pytest

from corpus.ncbi.licenses import license_name
from tests.jats_samples import jats, read


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/3.0", "CC-BY-NC-ND-3.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode", "CC-BY-NC-SA-4.0"),
        ("https://creativecommons.org/licenses/by-nd-nc/1.0", "CC-BY-NC-ND-1.0"),
        ("http://creativecommons.org/licenses/by/3/", "CC-BY-3.0"),
        ("http://creativecommons.org/licenses/by/", "CC-BY"),
        ("http://creativecommons.org/licenses/by/2.0/uk/", "CC-BY-2.0"),
        ("https://creativecommons.org/licenses/by/3.0/igo/", "CC-BY-3.0-IGO"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("https://example.org/terms", ""),
    ],
)
def test_link(link: str, name: str) -> None:
    assert license_name(links=[link]) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("distributed under the Creative Commons Attribution 4.0 International License", "CC-BY-4.0"),
        ("under the terms of the Creative Commons Attribution License (CC BY).", "CC-BY"),
        ("Creative Commons Attribution-NonCommercial-NoDerivs License, version 3.0", "CC-BY-NC-ND-3.0"),
        ("Creative Commons Attribution Non-Commercial ShareAlike licence", "CC-BY-NC-SA"),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("the Creative Commons Public Domain Dedication (CC0) applies", "CC0-1.0"),
        ("see http://creativecommons.org/licenses/by/2.5/ for details", "CC-BY-2.5"),
        ("© 2010 The Authors. All rights reserved.", ""),
    ],
)
def test_text(text: str, name: str) -> None:
    assert license_name(text=text) == name


@pytest.mark.parametrize(
    ("code", "name"),
    [("CC BY", "CC-BY"), ("CC BY-NC-ND", "CC-BY-NC-ND"), ("CC0", "CC0-1.0"), ("TDM", "TDM"), ("", "")],
)
def test_code(code: str, name: str) -> None:
    assert license_name(code=code) == name


def test_the_article_decides_before_the_code_and_a_link_before_the_prose() -> None:
    assert license_name(links=["http://creativecommons.org/licenses/by-nc/4.0/"], text="CC BY 3.0", code="CC BY") == (
        "CC-BY-NC-4.0"
    )
    assert license_name(text="Creative Commons Attribution", code="CC0") == "CC-BY"


def test_licence_is_found_wherever_the_article_states_it() -> None:
    link = "<ext-link xlink:href='http://creativecommons.org/licenses/by/4.0/'>terms</ext-link>"
    ali = (
        "<ali:license_ref xmlns:ali='http://www.niso.org/schemas/ali/1.0/'>https://creativecommons.org/licenses/by/4.0/"
    )
    for license_element in (
        f"<permissions><license><license-p>Under {link}.</license-p></license></permissions>",
        f"<permissions><license>{ali}</ali:license_ref></license></permissions>",
        f"<license><p>Under {link}</p></license>",
    ):
        assert read(jats(meta=license_element)).license == "CC-BY-4.0"
