"""Verified, resumable mirrors of PubMed's files and of PMC's bucket: protocol and store, no Beam."""
