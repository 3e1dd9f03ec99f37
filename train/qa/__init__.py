"""Question answering: formats, heads, fine-tuning and evaluation of any backbone."""
