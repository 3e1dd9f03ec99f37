"""Workflows of several stages: `run` of a YAML file, `demo` on a made sample, `rehearse` of all of PubMed."""
