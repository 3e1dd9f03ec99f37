"""Text generation and scoring on the CPU with a checkpoint or an export."""
