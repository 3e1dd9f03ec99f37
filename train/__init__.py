"""Train a GPT-2 style model with DeepSpeed ZeRO on token shards."""
