"""Readers of what NCBI gives: gzip and XML under a strict policy, PubMed citations, JATS articles, archives."""
