"""Training steps of one rank."""
