"""Other machines: locks with hashes for each Python, and the tests run as a stranger's machine would run them."""
