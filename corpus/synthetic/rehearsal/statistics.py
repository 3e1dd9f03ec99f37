"""Statistics of PubMed and PMC that decide how much work `assemble` has, each figure with its source.

"Real data" are 30,000 citations of 1979–80 (a whole baseline file), 360 of NLM's yearly samples, 848 made from front
matter of 2010–20 articles, and 2,438 open access articles; measured 2026-11-24. Files of one year say little of
duplicates in all of PubMed, so those shares are set ten times higher than what was found.
"""

from typing import Final

FULL_CITATIONS: Final = 40_000_000  # PubMed at the end of 2026
FULL_ARTICLES: Final = 8_000_000  # versions of articles in PMC's open buckets
FULL_UPDATES: Final = 0.12  # records of update files for each of the baseline: files 1335 to 1514 of 2026

# The Pile found 22.5 M citations with an abstract in the 2020 baseline of 31 M; 49 % in 1979–80, 89 % in 2021.
WITH_ABSTRACT: Final = 0.72
# Words of title and abstract: The Pile's 15.5 M hold 20.7 GB, 1,334 bytes each, 6.9 bytes a word in the real data.
# The spread is that of the real data: the logarithm has a standard deviation of 0.48 in 1979–80, 0.41 to 0.58 later.
ABSTRACT_LOG_MEAN: Final = 5.15
ABSTRACT_LOG_DEVIATION: Final = 0.48
TITLE_WORDS: Final = (6, 22)  # real data: mean 10.8 in 1979–80, 17.3 in 2010–20, drawn evenly here
STRUCTURED: Final = 0.25  # real data: 0 in 1979–80, 16 % in a yearly sample, 68 % in 2010–20
BEYOND_ASCII: Final = 0.30  # real data: 1 %, 7 %, 64 %
WITH_DOI: Final = 0.75  # real data: 50 %, 38 %, 81 %

# Near-duplicates: 9 pairs of J ≥ 0.7 among 20,544 real abstracts and no equal ones. Ten times as many.
NEAR_COPIES: Final = 0.004
EQUAL_COPIES: Final = 0.001
EDITED_WORDS: Final = 1 / 64  # of a near copy: a Jaccard similarity of about 0.85
FALSE_FRIENDS: Final = 0.05  # of citations share a template of half their length: candidates that verification refuses

# Text of an article, title to last caption: the real data's 30,200 bytes, log mean 10.16, log deviation 0.70.
ARTICLE_LOG_MEAN: Final = 8.24  # in words
ARTICLE_LOG_DEVIATION: Final = 0.70
ARTICLE_BLOCKS: Final = 52  # blocks of body in the real data
ARTICLE_FLOATS: Final = 6

UPDATES: Final = 0.10  # records of update files for each citation of the rehearsal: each revises one
DELETIONS: Final = 1 / 5000  # of the records of update files
CITATIONS_PER_PART: Final = 30_000  # a baseline file
ARTICLES_PER_PART: Final = 500
