"""Publishing: a finished corpus, or an exported model, as a folder that others load, with papers and hashes."""
