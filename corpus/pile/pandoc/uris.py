"""URI test of pandoc: only a URI that is its link's own text is written as `<address>`."""

import re
from urllib.parse import quote

# The schemes that pandoc knows and PMC's articles use.
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


def percent_encode(text: str) -> str:
    """Return an address with white space and the delimiters of markup encoded."""
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), text) if _UNSAFE.search(text) else text


def is_uri(text: str) -> bool:
    """Say whether a text is a whole URI of a known scheme."""
    found = _URI.fullmatch(percent_encode(text))
    return found is not None and found[1].lower() in _SCHEMES
