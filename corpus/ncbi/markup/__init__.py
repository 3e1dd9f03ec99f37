"""XML without a tree: one string of text and one table of elements."""
