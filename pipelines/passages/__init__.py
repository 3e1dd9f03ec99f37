"""The Beam pipeline of `passages`."""
