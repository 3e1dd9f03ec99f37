"""Several stages in a row: run, demo, rehearse."""
