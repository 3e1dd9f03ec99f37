"""Training data: prefetched batches, validation rows, the entropy of the tokens."""
