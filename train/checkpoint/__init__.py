"""Checkpoints that are trusted by their hash."""
