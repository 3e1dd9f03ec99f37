"""The seeded generator of awkward PubMed and JATS files that the demo and the tests run on."""
