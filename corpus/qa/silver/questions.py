"""Candidates to questions: splits that share no journal, three other titles of the journal, and the counts.

The other titles of a question are the next ones of its journal in the order of hashes, so that each title is as often
right as it is wrong: what an option looks like says nothing. Titles of nearly the same words, or of papers that
resemble each other, are never options of one question.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from corpus.qa.question import Question
from corpus.qa.silver.candidate import Candidate, SilverDrop, SilverKind, journal_key, order_of
from corpus.qa.silver.config import SilverConfig
from corpus.qa.silver.sample import by_journal

NUM_OPTIONS = 4
ALIKE = 0.5  # Jaccard similarity of the words of two titles from which they are nearly the same
LABELS = ("no", "yes")
_TENTHS = {0: "test", 1: "dev"}  # the others are train


def task_of(kind: str) -> str:
    """Return the task of the questions of a kind."""
    return f"silver-{kind}"


def make_questions_of(
    candidates: Iterable[Candidate], config: SilverConfig
) -> tuple[list[Question], Counter[tuple[str, SilverDrop]]]:
    """Return the questions of candidates, and how many candidates of a kind gave none for which reason."""
    dropped: Counter[tuple[str, SilverDrop]] = Counter()
    split_of, kept = _splits(sorted(candidates, key=lambda one: (one.kind, one.order, one.doc_id)), config, dropped)
    titles = [one for one in kept if one.kind == SilverKind.TITLE]
    questions = [_asked(one, split_of[one.cluster]) for one in kept if one.kind != SilverKind.TITLE]
    for own in by_journal(titles, config.seed):
        groups: dict[str, list[Candidate]] = defaultdict(list)
        for one in own:
            groups[split_of[one.cluster]].append(one)
        for split, group in sorted(groups.items()):
            questions += _title_questions(group, split, config.seed)
    made = Counter(one.task for one in questions)
    few = len(titles) - made[task_of(SilverKind.TITLE)]
    if few:
        dropped[SilverKind.TITLE, SilverDrop.FEW_TITLES] = few
    return questions, dropped


def _splits(
    candidates: Sequence[Candidate], config: SilverConfig, dropped: Counter[tuple[str, SilverDrop]]
) -> tuple[dict[str, str], list[Candidate]]:
    """Return the split of each cluster, and the candidates whose own journal or paper is of that split."""
    own = {id(one): _split(one, config) for one in candidates}
    of_cluster: dict[str, str] = {}
    for one in sorted(candidates, key=lambda one: one.doc_id):
        of_cluster.setdefault(one.cluster, own[id(one)])
    kept = [one for one in candidates if own[id(one)] == of_cluster[one.cluster]]
    for one in candidates:
        if own[id(one)] != of_cluster[one.cluster]:
            dropped[one.kind, SilverDrop.PAPER_IN_TWO_SPLITS] += 1
    return of_cluster, kept


def _split(one: Candidate, config: SilverConfig) -> str:
    unit = ("journal", journal_key(one.journal)) if config.split == "journal" else ("document", one.cluster)
    return _TENTHS.get(order_of(config.seed, "split", *unit) % 10, "train")


def _asked(one: Candidate, split: str) -> Question:
    """Return the question of a title that asks or states."""
    return Question(
        id=one.doc_id,
        task=task_of(one.kind),
        split=split,
        text=one.text,
        context=one.context,
        options=LABELS if one.label is not None else (),
        label=None if one.label is None else int(one.label),
        answer=one.answer,
        subject=one.subject,
        pmids=(str(one.pmid),) if one.pmid else (),
        file=one.file,
        line=one.position + 1,
    )


def _title_questions(group: Sequence[Candidate], split: str, seed: int) -> list[Question]:
    """Return the questions of the titles of a journal that are in one split."""
    words = [frozenset(one.answer.casefold().split()) for one in group]
    found = []
    for place, one in enumerate(group):
        others = _others(place, group, words)
        if len(others) < NUM_OPTIONS - 1:
            continue
        at = order_of(seed, "place", one.doc_id) % NUM_OPTIONS
        options = (*others[:at], one.answer, *others[at:])
        question = Question(
            id=one.doc_id,
            task=task_of(one.kind),
            split=split,
            text=one.text,
            options=options,
            label=at,
            subject=one.subject,
            pmids=(str(one.pmid),) if one.pmid else (),
            file=one.file,
            line=one.position + 1,
        )
        found.append(question)
    return found


def _others(place: int, group: Sequence[Candidate], words: Sequence[frozenset[str]]) -> list[str]:
    """Return three titles from behind a place, and on from the start, that differ from its title and each other."""
    chosen = [place]
    for step in range(1, len(group)):
        other = (place + step) % len(group)
        if all(_differ(other, known, group, words) for known in chosen):
            chosen.append(other)
        if len(chosen) == NUM_OPTIONS:
            break
    return [group[other].answer for other in chosen[1:]]


def _differ(first: int, second: int, group: Sequence[Candidate], words: Sequence[frozenset[str]]) -> bool:
    if group[first].cluster == group[second].cluster:
        return False
    common = len(words[first] & words[second])
    return common < ALIKE * len(words[first] | words[second])
