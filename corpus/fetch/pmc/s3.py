"""The two calls of S3's REST interface that an anonymous reader needs: list a prefix, get an object.

Both are plain GETs below a base address, so a bucket's own host, a path on an S3 server and a static mirror all serve.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode

from corpus.fetch.http.client import Answer, Client, Fault
from corpus.ncbi.markup.parse import BadXmlError, local_name, parse

_LIST_CAP = 10_000_000
_PAGES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectList:
    """One page of a listing: keys and their ETags, common prefixes, and the token of the next page, "" at the end."""

    keys: tuple[str, ...]
    etags: tuple[str, ...]  # of the keys, without quotes; "" where the server says none
    prefixes: tuple[str, ...]
    token: str


async def list_prefix(client: Client, prefix: str) -> tuple[list[str], list[str]]:
    """Return the keys and the folders directly below a prefix; raises Fault when the listing cannot be had whole."""
    pages = [page async for page in _pages(client, prefix)]
    return [key for page in pages for key in page.keys], [name for page in pages for name in page.prefixes]


async def list_objects(client: Client, prefix: str) -> list[tuple[str, str]]:
    """Return key and ETag of the objects directly below a prefix; raises Fault as `list_prefix` does."""
    pages = [page async for page in _pages(client, prefix)]
    return [found for page in pages for found in zip(page.keys, page.etags, strict=True)]


async def _pages(client: Client, prefix: str) -> AsyncIterator[ObjectList]:
    token, seen = "", {""}
    for _ in range(_PAGES):
        query = {"list-type": "2", "prefix": prefix, "delimiter": "/"} | (
            {"continuation-token": token} if token else {}
        )
        url = client.host.url(query=urlencode(query))
        page = await client.get(url, read_object_list, cap=_LIST_CAP)
        yield page
        if not page.token:
            return
        token = page.token
        if token in seen:
            raise Fault("unexpected", "the listing repeats itself", url=url)
        seen.add(token)
    raise Fault("unexpected", f"the listing of {prefix} has more than {_PAGES:,} pages", url=client.host.base)


def read_object_list(answer: Answer) -> ObjectList:
    """Return a page of ListObjectsV2; raises Fault for anything else, a cut page too."""
    try:
        root = parse(answer.body, root=frozenset({"ListBucketResult"}))
    except BadXmlError as error:
        raise Fault("unexpected", f"no listing of a bucket: {error}") from error
    objects: list[tuple[str, str]] = []
    prefixes: list[str] = []
    token, truncated = "", False
    for child in root:
        name = local_name(child.tag)
        if name in ("Contents", "CommonPrefixes"):
            said = {local_name(grandchild.tag): grandchild.text or "" for grandchild in child}
            if name == "CommonPrefixes":
                prefixes.append(said.get("Prefix", ""))
            elif "Key" in said:
                objects.append((said["Key"], said.get("ETag", "").strip('"')))
        elif name == "NextContinuationToken":
            token = child.text or ""
        elif name == "IsTruncated":
            truncated = (child.text or "").strip().lower() == "true"
    if truncated != bool(token):
        raise Fault("unexpected", "a listing that is cut but names no next page")
    keys, etags = tuple(key for key, _ in objects), tuple(etag for _, etag in objects)
    return ObjectList(keys=keys, etags=etags, prefixes=tuple(prefixes), token=token)
