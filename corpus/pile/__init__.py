"""The text that The Pile's scripts made of PubMed and PMC files, faults included: what BioMedLM was trained on."""
