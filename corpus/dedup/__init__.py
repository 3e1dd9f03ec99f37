"""Near-duplicate detection as pure functions on arrays: shingles, MinHash signatures, candidates, verified edges."""
