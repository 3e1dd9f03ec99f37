"""Checkpoints: published by a rename, trusted by their hashes, converted for other numbers of ranks."""
