"""Tests of questions of biomedical QA."""
