"""Readers of what NCBI gives: gzip and XML under a strict policy, PubMed citations, JATS articles, archives."""

from corpus.compiled.loading import use_compiled

COMPILED = use_compiled()  # before any module below is imported
