"""MathML to TeX as pandoc 2.9 wrote it."""
