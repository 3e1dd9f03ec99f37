"""What pandoc 2.9 made of a JATS article, as The Pile saw it."""
