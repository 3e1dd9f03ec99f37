"""Licences by SPDX name, from links, prose or PMC's code."""

import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from corpus.licenses import allows, license_name
from corpus.ncbi.jats.reader import read_article
from corpus.records import Record
from tests.support.jats_samples import jats, read


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
        ("http://creativecommons.org/licenses/publicdomain/", "CC-PDDC"),
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
        ("Creative Commons Deed, Attribution 2.5, which does not permit commercial exploitation.", "CC-BY-NC-2.5"),
        ("the terms of the Creative Commons Public Domain declaration which stipulates that", "CC-PDDC"),
        ("This article is a U.S. Government work and is in the public domain in the USA.", "LicenseRef-public-domain"),
        ("The data are not in the public domain.", ""),
        ("Creative Commons Attribution License. The CC0 waiver applies to the data.", "CC-BY"),
        ("This is an Open Access article: verbatim copying of this article is permitted in all media.", ""),
        ("open access", ""),
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


@pytest.mark.parametrize(
    ("link", "text", "name"),
    [
        ("by/4.0/", "the Creative Commons Attribution Non-Commercial License, which permits", "CC-BY-NC"),
        ("by/3.0/", "a Creative Commons Attribution-Noncommercial-Share Alike 3.0 Unported Licence", "CC-BY-NC-SA-3.0"),
        ("by/4.0/", "License (http://creativecommons.org/licenses/by-nc/4.0/).", "CC-BY-NC-4.0"),
        ("by/4.0/", "the Creative Commons Attribution License", "CC-BY-4.0"),
        ("by/4.0/", "The CC0 waiver (http://creativecommons.org/publicdomain/zero/1.0/) applies.", "CC-BY-4.0"),
        ("by-nc/4.0/", "the Creative Commons Attribution License", "CC-BY-NC-4.0"),
    ],
)
def test_a_statement_that_contradicts_itself_is_read_strictly(link: str, text: str, name: str) -> None:
    assert license_name(links=[f"http://creativecommons.org/licenses/{link}"], text=text, code="CC BY") == name


@pytest.mark.parametrize(
    ("name", "commercial", "open_"),
    [
        ("CC-BY-4.0", True, True),
        ("CC-BY-ND-4.0", True, True),
        ("CC-PDDC", True, True),
        ("CC-BY-NC-SA-3.0", False, True),
        ("TDM", False, False),
        ("", False, False),
    ],
)
def test_what_a_licence_allows(name: str, commercial: bool, open_: bool) -> None:
    assert (allows(name, "commercial"), allows(name, "open"), allows(name, "any")) == (commercial, open_, True)


@pytest.mark.slow
@pytest.mark.real_data
def test_every_real_article_states_its_licence_itself(real_data: Path) -> None:
    """Without the bucket's JSON every article gets a name, which never allows more than the JSON's code does."""
    names, codes = {}, {}
    with tarfile.open(real_data / "pmc" / "pmc-oa-opendata.tar.xz", "r|xz") as archive:
        for member in archive:
            content, (stem, _, suffix) = archive.extractfile(member), Path(member.name).name.rpartition(".")
            if content is not None and suffix == "json":
                codes[stem] = license_name(code=json.load(content)["license_code"])
            elif content is not None and suffix == "xml":
                record = read_article(content.read(), file=f"{stem}.xml")
                assert isinstance(record, Record)
                names[stem] = record.license
    counts = Counter(names.values())
    print(f"{len(names):,} articles: {dict(counts.most_common())}")
    assert len(names) == 2400
    assert counts[""] == 0
    unlike = {stem for stem, name in names.items() if allows(name, "commercial") != allows(codes[stem], "commercial")}
    assert len(unlike) == sum("-NC" in name for name in names.values()) == 33


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
