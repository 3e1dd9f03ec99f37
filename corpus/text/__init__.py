"""The text a model reads: rendering profiles, boilerplate, language."""

from corpus.text.detection import detect as detect_language
from corpus.text.render import render

__all__ = ["detect_language", "render"]
