"""The nouns and the pure logic of the road: records, parsers, profiles, dedup, shards, manifests. No Beam, no torch."""
