"""The Beam pipeline of `dedup`."""
