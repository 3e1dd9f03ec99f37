"""Anyone's corpus: JSON lines and Parquet, read document by document and written again in the form they came."""
