"""Inline writer: inlines to pandoc's markdown, as version 2.9 writes it without wrapping.

A line break inside is "\\\\" and a new line. Every mark of the dialect is escaped by a backslash, and typographic
quotation marks, dashes and ellipses become plain ones (extension `smart`).
"""

import re
from collections.abc import Callable
from urllib.parse import quote

from corpus.pile.pandoc.document import Attributes, Inline, Inlines, PandocBlocks

_SPECIAL = re.compile(r"[<>@\\`*_\[\]#|^~$'\".\-‘’“”–—…]")
_ESCAPED = re.compile(r"[<>\\`*_\[\]#|^~$'\"]|-(?=-)|\.\.\.|@(?=_)|@(?=\w)")
_PLAIN = {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "--", "—": "---", "…": "..."}
_TYPOGRAPHIC = re.compile("[‘’“”–—…]")
_TICKS = re.compile("`+")
_MARKS = {"Emph": "*", "Strong": "**", "Strikeout": "~~"}
_SCRIPTS = {"Superscript": "^", "Subscript": "~"}

_DIGITS, _ROMAN = r"[0-9]{1,9}", r"m{0,4}(?:cm|cd|d?c{0,4})(?:xc|xl|l?x{0,4})(?:ix|iv|v?i{0,4})"
_NUMERAL = rf"(?:\#|@[\w-]*|{_DIGITS}|[a-z]|[A-Z]|(?=[a-z]){_ROMAN}|(?=[A-Z])(?i:{_ROMAN}))"
_MARKER = re.compile(rf"\({_NUMERAL}\)|{_NUMERAL}\)|(?![A-Z]\.){_NUMERAL}\.")

# Only a URI that is its link's own text is written as `<address>`: one of the schemes that pandoc knows and PMC's
# articles use.
_SCHEMES = frozenset(
    re.split(
        r"\s+",
        """acct cid coap crid data dav dict dns doi file ftp geo git go gopher h323 hdl http https iax icap im imap info
        ipp irc isbn jabber javascript ldap magnet mailto mid mms news nfs nntp pmid pop rsync rtmp rtsp sftp sip sips
        sms smb ssh svn tag tel telnet tftp urn view-source vnc webcal ws wss xmpp""",
    )
)
_CHARS = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_HOST = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
_USER = r"(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})*@)?"
_URI = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.\-]*):(?://{_USER}{_HOST}(?::[0-9]*)?(?:/{_CHARS}*)*|/?{_CHARS}+(?:/{_CHARS}*)*|/?)"
    rf"(?:\?(?:{_CHARS}|[/?])*)?(?:#(?:{_CHARS}|[/?])*)?"
)
_UNSAFE = re.compile(r'[\s<>|"{}\[\]^`]')


class InlineWriter:
    """Writes inlines; footnotes are collected and written by whoever owns the writer."""

    def __init__(self) -> None:
        self.notes: list[PandocBlocks] = []
        self._keep_spaces = False  # inside super- and subscripts, where a space must be escaped

    def write(self, inlines: Inlines) -> str:
        """Return a run of inlines as text."""
        parts: list[str] = []
        for inline in inlines:
            kind = inline[0]
            if kind == "Str":
                parts.append(escape(inline[1]))
            elif kind in ("Space", "SoftBreak"):
                if self._keep_spaces:
                    parts.append("\\ ")
                elif not parts or parts[-1] != " ":
                    parts.append(" ")
            elif text := _WRITERS[kind](self, inline):
                parts.append(text)
        return "".join(parts)

    def paragraph(self, inlines: Inlines) -> str:
        """Return the text of a paragraph, which must not begin like a list item."""
        if inlines and inlines[0][0] == "Str":
            word = inlines[0][1]
            alone = len(inlines) == 1 or inlines[1][0] in ("Space", "SoftBreak")
            if alone and _MARKER.fullmatch(word):
                return (re.sub(r"[.()]", r"\\\g<0>", word) + self.write(inlines[1:])).rstrip(" ")
            if word in ("+", "-", "%"):
                return ("\\" + word + self.write(inlines[1:])).rstrip(" ")
        return self.write(inlines).strip(" ")

    def _marked(self, inline: Inline) -> str:
        mark = _MARKS[inline[0]]
        return mark + self.write(inline[1]) + mark if inline[1] else ""

    def _script(self, inline: Inline) -> str:
        if not inline[1]:
            return ""
        outside, self._keep_spaces = self._keep_spaces, True
        text = self.write(inline[1])
        self._keep_spaces = outside
        mark = _SCRIPTS[inline[0]]
        return mark + text + mark

    def _small_caps(self, inline: Inline) -> str:
        return f"[{self.write(inline[1])}]{{.smallcaps}}" if inline[1] else ""

    def _quoted(self, inline: Inline) -> str:
        mark = '"' if inline[1] else "'"
        return mark + self.write(inline[2]) + mark

    def _code(self, inline: Inline) -> str:
        text = inline[2]
        longest = max((len(run) for run in _TICKS.findall(text)), default=0)
        ticks, space = "`" * (longest + 1), " " if longest else ""
        return ticks + space + text + space + ticks + attributes_text(inline[1])

    def _math(self, inline: Inline) -> str:
        mark = "$$" if inline[1] else "$"
        return mark + inline[2] + mark

    def _cite(self, inline: Inline) -> str:
        if not inline[1]:
            return self.write(inline[2])
        return "[" + "; ".join([f"@{key}" for key in inline[1]]) + "]"

    def _link(self, inline: Inline) -> str:
        attributes, inlines = inline[1:3]
        url, title = inline[3:]
        text = self.write(inlines)
        address = url.removeprefix("mailto:")
        if len(inlines) == 1 and inlines[0][0] == "Str" and _percent_encode(inlines[0][1]) == address and _is_uri(url):
            return f"<{address}>"
        named = f' "{title}"' if title else ""
        return f"[{text}]({url}{named}){attributes_text(attributes)}"

    def _image(self, inline: Inline) -> str:
        attributes, inlines = inline[1:3]
        url, title = inline[3:]
        if not inlines or inlines == [("Str", url)]:
            inlines = [("Str", "")]
        return "!" + self._link(("Link", attributes, inlines, url, title.removeprefix("fig:")))

    def _note(self, inline: Inline) -> str:
        self.notes.append(inline[1])
        return f"[^{len(self.notes)}]"


_WRITERS: dict[str, Callable[[InlineWriter, Inline], str]] = {
    **dict.fromkeys(_MARKS, InlineWriter._marked),
    **dict.fromkeys(_SCRIPTS, InlineWriter._script),
    "SmallCaps": InlineWriter._small_caps,
    "Span": lambda writer, inline: f"[{writer.write(inline[2])}]{attributes_text(inline[1]) or '{}'}",
    "Quoted": InlineWriter._quoted,
    "Code": InlineWriter._code,
    "Math": InlineWriter._math,
    "LineBreak": lambda writer, inline: "\\\n",
    "Cite": InlineWriter._cite,
    "Link": InlineWriter._link,
    "Image": InlineWriter._image,
    "Note": InlineWriter._note,
}


def escape(text: str) -> str:
    """Return a word with the dialect's marks escaped and typographic signs made plain."""
    if _SPECIAL.search(text) is None:
        return text
    text = _ESCAPED.sub(r"\\\g<0>", text)
    return _TYPOGRAPHIC.sub(lambda found: _PLAIN[found[0]], text)


def attributes_text(attributes: Attributes) -> str:
    """Return attributes in braces, "" when there are none."""
    ident, classes, pairs = attributes
    words = ["#" + ident] if ident else []
    words += ["." + name for name in classes]
    for name, value in pairs:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        words.append(f'{name}="{escaped}"')
    return "{" + " ".join(words) + "}" if words else ""


def _percent_encode(text: str) -> str:
    """Return an address with white space and the delimiters of markup encoded."""
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), text) if _UNSAFE.search(text) else text


def _is_uri(text: str) -> bool:
    """Say whether a text is a whole URI of a known scheme."""
    found = _URI.fullmatch(_percent_encode(text))
    return found is not None and found[1].lower() in _SCHEMES
