"""Pandoc 2.9 as The Pile ran it, ported: JATS reader and markdown writer."""
