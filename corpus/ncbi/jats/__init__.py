"""JATS reader: the bytes of articles to records."""
