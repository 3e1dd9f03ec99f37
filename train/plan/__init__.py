"""What training takes: memory, time, cost."""
