"""Model export: a checkpoint as transformers, GGUF and CTranslate2 files, with a model card and hashes."""
