"""HTML page about the finished stages below a directory: figures to look at where tables would have to be read."""
