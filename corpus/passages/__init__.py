"""Passages, sentences and paragraphs, that stand in many documents: cut, folded, counted."""
