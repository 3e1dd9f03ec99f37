"""Made-up input: the demo's sample and the rehearsal's documents."""
