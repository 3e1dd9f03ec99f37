"""The Beam pipeline of `assemble`."""
