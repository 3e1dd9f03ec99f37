"""The text a model reads: rendering profiles, boilerplate, language."""
