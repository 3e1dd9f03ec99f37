"""Learn the biomedical byte-level BPE, encode with it, and write Megatron token shards. No Beam, no torch."""
