"""Pages that the code writes, and tests that what the pages show is so."""
