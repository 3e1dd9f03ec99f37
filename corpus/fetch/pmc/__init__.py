"""PubMed Central's open-access bucket: inventory, metadata, article shards."""
