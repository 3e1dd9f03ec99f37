"""Compiled readers: modules of `corpus.ncbi`, where the time goes, as machine code that mypyc makes of their sources.

`python -m corpus.compiled.build` compiles them, once on a machine; `corpus.compiled.loading` has them imported in place
of the sources as long as these are, byte for byte, what was compiled.
"""
