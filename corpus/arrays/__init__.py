"""NumPy and Arrow without a domain: lookups, hashes, numba's cache."""
