"""The names of PubMed's elements that the reader needs: the vocabulary that its files are scanned with."""

from corpus.ncbi.markup.document import Vocabulary
from corpus.ncbi.markup.formulas import MATHML
from corpus.ncbi.pubmed.text import BLOCKS, INLINE

RECORDS = ("PubmedArticle", "PubmedBookArticle", "DeleteCitation")

_STRUCTURE = """
MedlineCitation PubmedData BookDocument PubmedBookData PMID Article Journal JournalIssue PubDate Year MedlineDate Title
ArticleTitle VernacularTitle BookTitle Book ELocationID Abstract AbstractText OtherAbstract CopyrightInformation
Language PublicationTypeList PublicationType ArticleDate MeshHeadingList DescriptorName QualifierName
CommentsCorrectionsList CommentsCorrections RefSource KeywordList Keyword ArticleIdList ArticleId Sections SectionTitle
"""
# What is not read at all; some of it holds names from above.
_UNREAD = """
AuthorList InvestigatorList ChemicalList GrantList DataBankList PersonalNameSubjectList SupplMeshList ReferenceList
GeneSymbolList MedlineJournalInfo History ObjectList Pagination Publisher DateCompleted DateRevised DateCreated
ContributionDate BeginningDate EndingDate ItemList
"""
VOCABULARY = Vocabulary(
    [*RECORDS, *_STRUCTURE.split(), *INLINE, *BLOCKS, *MATHML],
    records=RECORDS,
    opaque=_UNREAD.split(),
    detailed=["math"],
)
