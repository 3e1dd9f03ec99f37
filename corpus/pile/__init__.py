"""The Pile's text: what its scripts made of PubMed and PMC files, faults included, and BioMedLM was trained on."""
