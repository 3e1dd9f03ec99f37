"""Benchmarks: commands that measure a stage beside the tool it is compared with, in one process run."""
