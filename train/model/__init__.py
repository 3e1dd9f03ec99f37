"""The GPT-2 style model."""
