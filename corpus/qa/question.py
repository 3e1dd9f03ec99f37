"""Question, the noun of QA: one item of a published set, in one shape whatever file it came from.

Multiple choice, yes/no and long form are told apart by the options: a choice between texts, between labels that
all items of the set share ("no", "yes"; sorted), or none at all.
"""

from msgspec import Struct


class Question(Struct, frozen=True, kw_only=True, gc=False):
    """One item of a question set; `task` and `id` name it, for the sets of a task share their ids."""

    id: str  # the set's own id, else split and number of the row from 0, "test-00012"; MMLU: "anatomy-test-012"
    task: str  # medqa, medmcqa, pubmedqa, bioasq, mmlu, medquad, …
    split: str  # train, dev or test, as published; MMLU has val too, and its dev holds the examples of prompts
    text: str  # the question
    context: str = ""  # what it is to be answered from; "" for a question alone
    options: tuple[str, ...] = ()  # in the order of the file; of yes/no sets the labels, sorted; () of long form
    label: int | None = None  # index into options; None when the set hides it, and of long form
    answer: str = ""  # long form: the answer in words; PubMedQA: the conclusion, never shown to a model by default
    subject: str = ""  # MMLU's subject, MedMCQA's subject_name, MedQA's step
    pmids: tuple[str, ...] = ()  # papers that it was made from, where the set names them
    file: str = ""  # path as given
    line: int = 0  # in the file, from 1; of JSON documents the number of the item
