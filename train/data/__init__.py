"""Token rows to batches."""
