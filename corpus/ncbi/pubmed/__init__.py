"""PubMed citations: bytes to records."""

from corpus.ncbi.pubmed.reader import read_pubmed

__all__ = ["read_pubmed"]
