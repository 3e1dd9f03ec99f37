"""Rehearsal records: made up on the way, as many as PubMed and PMC hold, of their lengths and shares, never stored."""
