"""The stage `extract`: NCBI's files to records."""
