"""Fuzzing of the two parsers: what must hold for any bytes, a mutator that knows XML, and a command for long runs."""
