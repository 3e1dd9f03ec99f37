"""GPT-2 style language model: attention, transformer blocks, tied head with its loss."""
