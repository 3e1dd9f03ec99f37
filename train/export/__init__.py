"""A trained model in the forms that people use: transformers, GGUF, CTranslate2; with its card and hashes."""
