"""Downloads over HTTP: client, pace, retries, journal, tally."""
