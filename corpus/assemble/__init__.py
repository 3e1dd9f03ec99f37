"""The stage `assemble`: records to a deduplicated, split corpus."""
