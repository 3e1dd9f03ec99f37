"""Beam: runner, exchange of blocks, metering."""
