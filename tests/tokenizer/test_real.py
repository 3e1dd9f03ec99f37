"""Real abstracts: gigatoken learns what Hugging Face's trainer learns, and encodes as `tokenizers` does."""

import gzip
import html
import re
from pathlib import Path

import pytest

from tests.support.small_corpus import write_corpus
from tests.tokenizer.test_learn import hf_merges, write
from tokenizer.config import TokenizerConfig
from tokenizer.encode import Encoder
from tokenizer.learn import learn
from tokenizer.merges import learn_merges

ABSTRACT = re.compile(r"<AbstractText[^>]*>(.*?)</AbstractText>", re.DOTALL)


def abstracts(path: Path) -> list[str]:
    """Return the abstract parts of a PubMed file, markup and all: only the letters matter here."""
    with gzip.open(path, "rt", encoding="utf-8") as source:
        return [html.unescape(found) for found in ABSTRACT.findall(source.read())]


@pytest.mark.real_data
def test_real_abstracts(real_data: Path, tmp_path: Path) -> None:
    texts = abstracts(real_data / "pubmed" / "samples" / "pubmedsample19n0001.xml.gz")
    held_out = abstracts(real_data / "pubmed" / "derived" / "pubmed26n0001.xml.gz")
    assert len(texts) > 100
    assert learn_merges(write(tmp_path / "texts", texts), num_merges=6000, min_frequency=2) == hf_merges(texts, 6000, 2)

    documents = [("pubmed", text) for text in texts]
    write_corpus(tmp_path / "corpus", [("train", documents), ("validation", [("pubmed", text) for text in held_out])])
    output = str(tmp_path / "tokenizer")
    manifest = learn(TokenizerConfig(vocab_size=4000), corpus=str(tmp_path / "corpus"), output=output)
    assert manifest.summary["vocab_size"] == 4000
    assert 3.0 < manifest.summary["bytes_per_token"]["pubmed"] < 6.0
    Encoder.load(output).check(held_out)
