"""Containers of NCBI's files: gzip and tar streams, article stores, file lists, metadata."""
