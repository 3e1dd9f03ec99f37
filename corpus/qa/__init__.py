"""Questions of biomedical QA: the noun, readers of the published files, splits, scores, results of the paper."""
