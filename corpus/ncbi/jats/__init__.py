"""JATS articles: bytes to records."""
