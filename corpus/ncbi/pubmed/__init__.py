"""PubMed citations: bytes to records."""
