"""The names of PubMed's elements that the reader needs: the vocabulary that its files are scanned with."""

from corpus.ncbi.markup.document import Vocabulary
from corpus.ncbi.markup.formulas import MATHML
from corpus.ncbi.pubmed.text import BLOCKS, INLINE

RECORDS = ("PubmedArticle", "PubmedBookArticle", "DeleteCitation")
MEDLINE_RECORDS = ("MedlineCitation", "DeleteCitation")  # of a MedlineCitationSet, NLM's files until 2016

_STRUCTURE = """
MedlineCitation PubmedData BookDocument PubmedBookData PMID Article Journal JournalIssue PubDate Year MedlineDate Title
ArticleTitle VernacularTitle BookTitle Book ELocationID Abstract AbstractText OtherAbstract CopyrightInformation
Language PublicationTypeList PublicationType ArticleDate MeshHeadingList DescriptorName QualifierName
CommentsCorrectionsList CommentsCorrections RefSource KeywordList Keyword ArticleIdList ArticleId Sections SectionTitle
OtherID
"""
# What is not read at all; some of it holds names from above.
_UNREAD = """
AuthorList InvestigatorList ChemicalList GrantList DataBankList PersonalNameSubjectList SupplMeshList ReferenceList
GeneSymbolList MedlineJournalInfo History ObjectList Pagination Publisher DateCompleted DateRevised DateCreated
ContributionDate BeginningDate EndingDate ItemList
"""


def _of_set(records: tuple[str, ...]) -> Vocabulary:
    """Return the vocabulary of a kind of set; those of both kinds number their names alike."""
    names = [*RECORDS, *_STRUCTURE.split(), *INLINE, *BLOCKS, *MATHML]
    return Vocabulary(names, records=records, opaque=_UNREAD.split(), detailed=["math"])


VOCABULARY, MEDLINE_VOCABULARY = _of_set(RECORDS), _of_set(MEDLINE_RECORDS)
