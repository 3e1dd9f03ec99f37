"""What eFetch says in the place of a record: `<Reply Id="1" error="…"/>`, in a set of articles or of citations."""

import re

from corpus.ncbi.markup.attributes import attribute_value

REPLY = re.compile(rb"<Reply\b[^>]*/>|<Reply\b.*?</Reply\s*>", re.DOTALL)
_ID = re.compile(rb"""<Reply\b[^>]*?\s[iI][dD]\s*=\s*["'](?:PMC)?(\d{1,15})["']""")
_ERROR = re.compile(rb"""\serror\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_TAG = re.compile(rb"<[^>]*>")
_MOST = 300  # characters of what a server says


def served_id(raw: bytes) -> int | None:
    """Return the id that a Reply is about, None where it names none, or is no Reply."""
    found = _ID.match(raw)
    return int(found[1]) if found else None


def served_error(raw: bytes) -> str:
    """Return what a Reply says of which id, "" for anything but a Reply."""
    if not raw.startswith(b"<Reply"):
        return ""
    stated, number = _ERROR.search(raw, 0, raw.find(b">")), served_id(raw)
    said = (stated[1] or stated[2] or b"") if stated else _TAG.sub(b" ", raw)
    text = " ".join(attribute_value(said).split())[:_MOST]
    about = "" if number is None else f" for id {number}"
    return f"the server has no record{about}: {text or 'it gives no reason'}; ask for it again, or leave the id out"
