"""Thin Beam stages that wire the pure logic of `corpus` and `tokenizer`, and the command line `corpuscle`."""
