"""Loss accounting: where every character of an article's XML went, kept in a field or dropped for a named reason.

Characters are those of the text of the XML without white space, markup removed and references resolved. They all start
as `unread`; a reader moves them as it goes, from the account of what surrounds an element to the element's
own, so that the sum of all accounts is the total at every moment. What stays `unread` at the end is a loss that
nobody decided on: there is none in an article that is read as it should be.

What a reader writes that the XML does not have (brackets of formulas, a colon behind a term, the address of a link) is
counted beside the accounts in `written`, where they are `watched`, so that a test can hold every field of the record
against its account: characters of the field = those of the account + those written.
"""

from corpus.records import Account

UNREAD = "unread"

# Kept, by field of `Record`; "sub_articles" have records, and accounts, of their own.
KEPT = frozenset(
    {
        *("title", "vernacular_title", "abstracts", "body", "floats", "back", "sub_articles"),
        *("keywords", "journal", "year", "ids", "links"),
    }
)
# Dropped, by reason.
DROPPED = {
    "alt_text": "descriptions of pictures for readers who cannot see them",
    "article_metadata": "pages, volume, dates, counts, funding, categories and other metadata of the front",
    "author_metadata": "authors, affiliations, correspondence and author notes",
    "citation_marks": "citation numbers with their brackets and lead-in",
    "duplicate_forms": "second and third forms of a formula or table, annotations of formulas",
    "index_terms": "terms and ids for machines",
    "drawn_marks": "bullets of lists, colons of labels, the word Abstract above one, numbers of formulas in pictures",
    "journal_metadata": "ids, abbreviations and publishers of the journal",
    "note_marks": "marks that point to notes, arrows of links",
    "permissions": "copyright and licence statements",
    "processing_metadata": "what tools wrote about their own work",
    "references": "reference lists",
    "struck_text": "text that was struck out",
    "tex_preamble": "TeX around a formula that is no formula",
    UNREAD: "nothing decided: report it",
}
_ORDER = (*sorted(KEPT), *sorted(DROPPED))


def solid(text: str) -> int:
    """Return the number of characters that are not XML white space."""
    if text.isalnum():
        return len(text)
    return len(text) - text.count(" ") - text.count("\n") - text.count("\t") - text.count("\r")


class Accounts:
    """The accounts of one article while it is read; `current` is the account of what surrounds the next element."""

    def __init__(self, total: int, *, watched: bool = False) -> None:
        self.counts = dict.fromkeys(_ORDER, 0)
        self.counts[UNREAD] = total
        self.written = dict.fromkeys(_ORDER, 0)
        self.current, self.watched = UNREAD, watched

    def move(self, name: str, characters: int) -> None:
        """Move characters from the current account to another."""
        self.counts[self.current] -= characters
        self.counts[name] += characters

    def write(self, characters: int) -> None:
        """Count characters that the current account's field has beyond those of the XML, below 0: has fewer."""
        self.written[self.current] += characters

    def enter(self, name: str, characters: int) -> str:
        """Make another account the current one and give it what it surrounds; return the outer one, for `leave`."""
        self.move(name, characters)
        outer, self.current = self.current, name
        return outer

    def leave(self, outer: str) -> None:
        """Go back to the account that `enter` returned."""
        self.current = outer

    def result(self) -> tuple[Account, ...]:
        """Return the accounts that hold anything, kept ones first, each group by name."""
        filled = [(name, count) for name, count in self.counts.items() if count]
        return tuple([Account(name=name, kept=name in KEPT, characters=count) for name, count in filled])
