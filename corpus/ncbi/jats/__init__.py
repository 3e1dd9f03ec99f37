"""JATS reader: the bytes of articles to records."""

from corpus.ncbi.jats.reader import read_article, read_parts

__all__ = ["read_article", "read_parts"]
