"""Silver questions: made from the papers of a corpus by rule, without anybody's labels."""
