"""Planted citations: revisions, versions, deletions, short records, copies and twins.

Copies are made by a few word edits, a cut end or an added line, at an exact Jaccard similarity of word
5-grams that is well above the usual threshold of 0.8, or well below it for those that must be kept. Twins
differ in one gene index, dose, isotope, Greek letter or "not": different findings, however alike the words.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from corpus.records import pubmed_doc_id
from corpus.synthetic.sample.model import Citation, Relation, SamplePart
from corpus.synthetic.sample.text import Author, jaccard
from corpus.synthetic.sample.world import BASELINE, KEPT, UPDATES, Fate, World, document

NEAR, FAR = (0.87, 0.98), (0.2, 0.6)  # Jaccard of planted copies; nothing lies between

PUBLISHED = "Published by Sample Press"  # how a line begins that is about the paper and no part of its text
NO_ABSTRACT = ("Not available.", "No abstract.")
_REPLACEMENTS = ("additional", "annual", "broad", "common", "different", "typical", "minor", "related", "separate")
_TWINS = {
    "twin_gene": (("BRCA1", "BRCA2"), ("SIRT1", "SIRT3"), ("FGF2", "FGF21"), ("IL17A", "IL17F")),
    "twin_dose": (("5 mg", "50 mg"), ("0.5 mg/kg", "5 mg/kg"), ("20 mg", "40 mg")),
    "twin_isotope": (("\\sup{125}I", "\\sup{131}I"), ("\\sup{64}Cu", "\\sup{67}Cu"), ("\\sup{11}C", "\\sup{14}C")),
    "twin_negation": ((" ", " not "),),
    "twin_greek": (("TNF-α", "TNF-β"), ("IFN-α", "IFN-γ"), ("TGF-β1", "TGF-β2")),
}


def plant_citations(world: World) -> None:
    """Add all planted cases that concern PubMed alone."""
    for plant in (
        _revisions,
        _versions,
        _deletions,
        _short_records,
        _notices,
        _languages,
        _exact_copies,
        _near_copies,
        _chains,
        _far_copies,
        _twins,
    ):
        plant(world)


def edit_words(rng: Random, text: str, count: int) -> str:
    """Return a text with some of its plain words replaced, at least five words apart where there is room."""
    words = text.split(" ")
    free = [place for place, word in enumerate(words) if word.isalpha()]
    for place in sorted(rng.sample(free[::6] if len(free[::6]) >= count else free, count)):
        words[place] = rng.choice([word for word in _REPLACEMENTS if word != words[place]])
    return " ".join(words)


def _one_part(citation: Citation) -> Citation:
    """Return a citation whose abstract is one part without a label."""
    text = " ".join(part.text for part in citation.abstract)
    return replace(citation, abstract=(SamplePart(text=text),), other=(), copyright="")


def _copy(world: World, base: Citation, change: Callable[[Random, str], str], window: tuple[float, float]) -> Citation:
    """Return a new citation with the changed abstract of another, at a Jaccard similarity inside the window."""
    for _ in range(200):
        rng = world.stream("change")
        text = change(rng, base.abstract[0].text)
        made = replace(base, abstract=(SamplePart(text=text),))
        if window[0] <= jaccard(document(base), document(made)) <= window[1]:
            return replace(made, pmid=world.citation("copy").pmid)
    raise AssertionError(f"no change of pmid {base.pmid} fell into {window}")


def _revisions(world: World) -> None:
    """Citations sent again in one update file, or in both: the last one counts."""
    for number in range(world.count(60)):
        base = world.citation("revised")
        chain = [base]
        for _ in range(2 if number % 4 == 0 else 1):
            extra = Author(world.stream("revision")).sentence("conclusions")
            last = chain[-1].abstract[-1]
            chain.append(replace(base, abstract=(*base.abstract[:-1], replace(last, text=f"{last.text} {extra}"))))
        files = [world.baseline(), *(UPDATES if len(chain) == 3 else (UPDATES[number % 2],))]
        fates = [
            world.put(one, file, KEPT if one is chain[-1] else "superseded")
            for one, file in zip(chain, files, strict=True)
        ]
        world.add_case("revised_twice" if len(chain) == 3 else "revised", *fates)


def _versions(world: World) -> None:
    """PMIDs with a second version, some of whose first version is sent once more afterwards."""
    for number in range(world.count(10)):
        first = world.citation("version")
        second = replace(first, version=2, abstract=world.citation("version_text").abstract)
        fates = [world.put(first, world.baseline(), "older_version"), world.put(second, UPDATES[0], KEPT)]
        if number % 2:
            again = replace(first, journal=f"{first.journal} (Online)")
            fates.append(world.put(again, UPDATES[1], "older_version"))
            fates[0] = replace(fates[0], outcomes=("older_version", "superseded"))
        world.add_case("older_version_sent_last" if number % 2 else "second_version", *fates)


def _deletions(world: World) -> None:
    """Deleted citations: plain, revised before, added again after, and PMIDs that were never there."""
    for number in range(world.count(16)):
        base, update = world.citation("deleted"), UPDATES[number % 2]
        world.add_case("deleted", world.put(base, world.baseline(), "deleted"), world.delete(base.pmid, update))
    for _ in range(world.count(4)):
        base = world.citation("deleted")
        revised = replace(base, abstract=world.citation("revision").abstract)
        fates = (
            world.put(base, world.baseline(), "deleted", "superseded"),
            world.put(revised, UPDATES[0], "deleted"),
            world.delete(base.pmid, UPDATES[1]),
        )
        world.add_case("revised_then_deleted", *fates)
    for _ in range(world.count(4)):
        base = world.citation("deleted")
        again = replace(base, abstract=world.citation("revision").abstract)
        fates = (
            world.put(base, world.baseline(), "deleted", "superseded"),
            world.delete(base.pmid, UPDATES[0]),
            world.put(again, UPDATES[1], KEPT),
        )
        world.add_case("deleted_then_added_again", *fates)
    for _ in range(world.count(2)):
        world.add_case("deleted_unknown", world.delete(world.citation("ghost").pmid, UPDATES[1]))


def _short_records(world: World) -> None:
    """Records with a title alone, a stock title, no title at all, or an abstract of a few words."""
    for _ in range(world.count(260)):
        bare = world.citation("title_only", abstract=(), other=())
        world.add_case("title_only", world.put(bare, world.baseline(), "no_text"))
    for number in range(world.count(9)):
        title = ("Reply.", "Letter to the editor.", "[Not Available].")[number % 3]
        bare = world.citation("stock", title=title, vernacular_title="", abstract=(), other=(), types=("Letter",))
        world.add_case("stock_title", world.put(bare, world.baseline(), "no_text"))
    for _ in range(world.count(4)):
        bare = world.citation("empty", title="", vernacular_title="", abstract=(), other=())
        world.add_case("no_title_no_abstract", world.put(bare, world.baseline(), "no_text"))
    for number in range(world.count(20)):
        title = f"{Author(world.stream('short')).sentence('process')}: a note."
        text = (*NO_ABSTRACT, "See full text.")[number % 3]
        short = world.citation("short", title=title, vernacular_title="", abstract=(SamplePart(text=text),), other=())
        reason = "no_text" if text in NO_ABSTRACT else "too_short"
        world.add_case(reason, world.put(short, world.baseline(), reason))


def _notices(world: World) -> None:
    """Errata and retraction notices, and the retracted papers they speak of."""
    for _ in range(world.count(8)):
        text = Author(world.stream("erratum")).sentence("erratum")
        relation = Relation(type="ErratumFor", source="Sample J. 2010;1:1", pmid=79_999_999)
        erratum = world.citation(
            "notice", abstract=(SamplePart(text=text),), types=("Published Erratum",), relations=(relation,)
        )
        world.add_case("erratum", world.put(erratum, world.baseline(), "notice"))
    for _ in range(world.count(6)):
        types = ("Journal Article", "Retracted Publication")
        paper = world.citation("retracted", types=types)
        text = Author(world.stream("retraction")).sentence("retraction")
        relation = Relation(type="RetractionOf", source="Sample J. 2011;2:2", pmid=paper.pmid)
        notice = world.citation(
            "notice", abstract=(SamplePart(text=text),), types=("Retraction of Publication",), relations=(relation,)
        )
        back = Relation(type="RetractionIn", source="Sample J. 2012;3:3", pmid=notice.pmid)
        paper = replace(paper, relations=(back,))
        fates = world.put(paper, BASELINE[0], "retracted"), world.put(notice, BASELINE[1], "notice")
        world.add_case("retraction", *fates)


def _languages(world: World) -> None:
    """Abstracts in German and Russian; and what only looks foreign: the language of the article, and names alone."""
    for number in range(world.count(12)):
        author = Author(world.stream("foreign"))
        lists, language = (("german_sentence", "ger"), ("russian_sentence", "rus"))[number % 2]
        title = f"{author.sentence(('german', 'russian')[number % 2])}."
        text = author.sentences(lists, 4)
        foreign = world.citation("foreign", title=title, abstract=(SamplePart(text=text),), language=language)
        foreign = replace(foreign, vernacular_title="", other=())
        world.add_case("foreign_abstract", world.put(foreign, world.baseline(), "language"))
    for _ in range(world.count(6)):
        author = Author(world.stream("translated"))
        title = f"[{author.title().rstrip('?')}]."
        english = world.citation("translated", title=title, vernacular_title=author.sentence("german"), language="ger")
        world.add_case("english_abstract_of_german_article", world.put(english, world.baseline(), KEPT))
    for _ in range(world.count(4)):
        names = ", ".join(Author(world.stream("names")).distinct("gene", 40))
        undecided = world.citation("names", abstract=(SamplePart(text=f"{names}."),), other=())
        world.add_case("abstract_of_names_alone", world.put(undecided, world.baseline(), KEPT))


def _exact_copies(world: World) -> None:
    """The same text under two PMIDs: the newer one stays unless it is retracted, then the lower PMID."""
    for number in range(world.count(12)):
        base = _one_part(world.citation("exact"))
        copy = replace(base, pmid=world.citation("copy").pmid, journal=world.citation("copy").journal)
        if number % 3 == 1:
            copy = replace(copy, year=base.year + 1)
        elif number % 3 == 2:
            copy = replace(copy, year=base.year + 1, types=("Journal Article", "Retracted Publication"))
        if number % 3 == 2:
            fates = [world.put(base, world.baseline(), KEPT), world.put(copy, world.baseline(), "retracted")]
        else:
            fates = _rivals(world, (base, copy), copy if number % 3 == 1 else base, "exact_duplicate")
        world.add_case("exact_duplicate", *fates, jaccard=1.0)
    for _ in range(world.count(4)):
        base = _one_part(world.citation("exact"))
        line = f"Copyright {base.year} by the authors. All rights reserved."
        copy = replace(base, pmid=world.citation("copy").pmid, year=base.year - 1)
        copy = replace(copy, copyright=line, copyright_inside=True)
        world.add_case("exact_but_for_a_copyright_line", *_rivals(world, (base, copy), base, "exact_duplicate"))


def _near_copies(world: World) -> None:
    """Copies with edited words, a cut end, or an added line; the newer one stays."""
    changes: tuple[tuple[str, int, Callable[[Random, str], str]], ...] = (
        ("near_edited", 24, lambda rng, text: edit_words(rng, text, rng.randint(1, 3))),
        ("near_truncated", 10, lambda rng, text: " ".join(text.split(" ")[: -rng.randint(4, 16)])),
        ("near_boilerplate", 10, lambda rng, text: f"{text} {Author(rng).sentence('boilerplate')}"),
    )
    for name, full, change in changes:
        for number in range(world.count(full)):
            base = _one_part(world.citation("near"))
            copy = _copy(world, base, change, NEAR)
            copy = replace(copy, year=base.year + (1 if number % 2 else -1))
            winner = copy if number % 2 else base
            same = PUBLISHED in copy.abstract[0].text  # a notice, which is no text
            similarity = None if same else jaccard(document(base), document(copy))
            reason = "exact_duplicate" if same else "near_duplicate"
            world.add_case(name, *_rivals(world, (base, copy), winner, reason), jaccard=similarity)


def _chains(world: World) -> None:
    """Three copies, each an edit of the one before."""
    for _ in range(world.count(4)):
        pieces = (*world.citation("near_text").abstract, *world.citation("near_text").abstract)
        first = _one_part(world.citation("near", abstract=pieces))  # long, so that one word is a small change
        second = _copy(world, first, lambda rng, text: edit_words(rng, text, 1), (0.93, 0.98))
        third = _copy(world, second, lambda rng, text: f"{text} Published online.", (0.93, 0.999))
        similarity = jaccard(document(first), document(third))
        assert similarity > NEAR[0], similarity
        chain = (first, replace(second, year=first.year - 1), replace(third, year=first.year - 2))
        world.add_case("near_chain", *_rivals(world, chain, first, "near_duplicate"), jaccard=similarity)


def _rivals(world: World, copies: tuple[Citation, ...], winner: Citation, reason: str) -> list[Fate]:
    """Put copies into the baseline, all but the winner to be dropped for it."""
    survivor = pubmed_doc_id(winner.pmid)
    return [
        world.put(one, world.baseline(), KEPT)
        if one is winner
        else world.put(one, world.baseline(), reason, survivor=survivor)
        for one in copies
    ]


def _far_copies(world: World) -> None:
    """Copies edited so much that they count as different documents."""
    for _ in range(world.count(20)):
        base = _one_part(world.citation("far"))
        copy = _copy(world, base, lambda rng, text: edit_words(rng, text, len(text.split()) // 11), FAR)
        fates = [world.put(one, world.baseline(), KEPT) for one in (base, copy)]
        world.add_case("far_edited", *fates, jaccard=jaccard(document(base), document(copy)))


def _twins(world: World) -> None:
    """Pairs that differ in the one thing that matters, and are both kept."""
    for name, values in _TWINS.items():
        for number in range(world.count(6)):
            for kind, window in (("far", FAR), ("close", NEAR)):
                first, second = _twin_pair(world, name, values[number % len(values)], kind, window)
                fates = [world.put(one, world.baseline(), KEPT) for one in (first, second)]
                world.add_case(f"{name}_{kind}", *fates, jaccard=jaccard(document(first), document(second)))


def _twin_pair(
    world: World, name: str, values: tuple[str, str], kind: str, window: tuple[float, float]
) -> tuple[Citation, Citation]:
    """Return two citations of one text about two things: far ones name it often, close ones in one sentence."""
    for _ in range(400):
        text = Author(world.stream(name)).sentence(name)
        if kind == "close":
            longer = world.citation("twin_text").abstract
            text = " ".join([*(part.text for part in longer), text.partition(". ")[0] + "."])
        base = world.citation("twin", title=f"{Author(world.stream(name)).title().rstrip('?')}.", language="eng")
        base = replace(base, vernacular_title="", other=(), abstract=(SamplePart(text=text),))
        pair = [replace(base, abstract=(SamplePart(text=text.replace("@", value)),)) for value in values]
        similarity = jaccard(document(pair[0]), document(pair[1]))
        if window[0] <= similarity <= window[1] and len(document(pair[0]).split()) > 30:
            return pair[0], replace(pair[1], pmid=world.citation("copy").pmid)
    raise AssertionError(f"no {kind} twins of {name} fell into {window}")
