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
# What `extract --metadata` reads besides.
_METADATA = """
AuthorList Author LastName ForeName Initials Suffix CollectiveName Identifier AffiliationInfo Affiliation GrantList
Grant GrantID Acronym Agency Country MedlineJournalInfo NlmUniqueID ISSNLinking MedlineTA ISSN ISOAbbreviation Volume
Issue Pagination MedlinePgn StartPage EndPage History PubMedPubDate Month Day Hour Minute Season DateCompleted
DateRevised DateCreated ContributionDate BeginningDate EndingDate ReferenceList Reference Citation
"""


def _of_set(records: tuple[str, ...], *, metadata: bool = False) -> Vocabulary:
    """Return the vocabulary of a kind of set; all of them number their names alike."""
    names = [*RECORDS, *_STRUCTURE.split(), *INLINE, *BLOCKS, *MATHML]
    more = frozenset(_METADATA.split())
    unread = [name for name in _UNREAD.split() if not (metadata and name in more)]
    # Names that are not read are known all the same, for the numbers, and have no row.
    marks = {} if metadata else {"plain": sorted(more - {*names, *unread})}
    return Vocabulary(
        [*names, *(more if metadata else ())], records=records, opaque=unread, detailed=["math"], marks=marks
    )


VOCABULARY, MEDLINE_VOCABULARY = _of_set(RECORDS), _of_set(MEDLINE_RECORDS)
WITH_METADATA, MEDLINE_WITH_METADATA = _of_set(RECORDS, metadata=True), _of_set(MEDLINE_RECORDS, metadata=True)
assert VOCABULARY.names == MEDLINE_VOCABULARY.names == WITH_METADATA.names == MEDLINE_WITH_METADATA.names
