"""Training loop: the process of one rank, its steps, evaluation, metrics and DeepSpeed engine."""
