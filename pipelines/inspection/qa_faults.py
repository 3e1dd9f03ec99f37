"""Faults of question answering that no hash shows: questions, predictions and weights that do not fit each other.

Every prediction is of a question that the stage was made from, with its right answer, and every question has one for
each run; the weights of a fine-tuned head are those that its description asks for, with none missing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from corpus import storage
from corpus.errors import CorpuscleError
from corpus.qa.predictions import Prediction, read_predictions
from corpus.qa.question import Question
from corpus.qa.store import STAGE as QUESTIONS
from corpus.qa.store import read_questions
from corpus.stage.manifest import Manifest

FINETUNE, EVALUATE = "qa finetune", "qa evaluate"
Asked = dict[tuple[str, str], Question]  # by task and id


def qa_faults(base: str, manifests: Mapping[str, Manifest]) -> Iterator[str]:
    """Yield a line for each fault of the stages of question answering below a directory; manifests by folder."""
    asked: dict[str, Asked] = {}  # by the fingerprint of the questions
    for folder, manifest in manifests.items():
        if manifest.stage == QUESTIONS:
            try:
                found = read_questions(_place(base, folder))
            except CorpuscleError as error:
                yield str(error)
            else:
                asked[manifest.fingerprint] = {(one.task, one.id): one for one in found}
    for folder, manifest in manifests.items():
        if manifest.stage in (FINETUNE, EVALUATE):
            made_of = next((one.fingerprint for one in manifest.inputs if one.name == QUESTIONS), "")
            yield from _prediction_faults(_place(base, folder), manifest, asked.get(made_of))
        if manifest.stage == FINETUNE:
            yield from _weight_faults(_place(base, folder), manifest)


def _place(base: str, folder: str) -> str:
    return base if folder == "." else storage.join(base, folder)


def _prediction_faults(place: str, manifest: Manifest, asked: Asked | None) -> Iterator[str]:
    """Yield what is wrong with the predictions of one stage; without its questions only their number is known."""
    for part in manifest.parts:
        if part.role != "predictions":
            continue
        path = storage.join(place, part.path)
        try:
            rows = read_predictions(path)
        except (CorpuscleError, OSError, ValueError) as error:
            yield f"{path}: no readable predictions ({error})"
            continue
        if len(rows) != part.rows:
            yield f"{path}: {len(rows):,} predictions, the manifest says {part.rows:,}"
        if asked is not None:
            yield from _misfits(path, rows, asked, limit=manifest.config.get("limit"))


def _misfits(path: str, rows: list[Prediction], asked: Asked, *, limit: int | None) -> Iterator[str]:
    strange = [one for one in rows if (one.task, one.id) not in asked]
    if strange:
        yield f"{path}: {len(strange):,} predictions of questions that it was not asked, the first {strange[0].id}"
    known = [one for one in rows if (one.task, one.id) in asked]
    if other := [one for one in known if one.gold != asked[one.task, one.id].label]:
        yield f"{path}: {len(other):,} predictions have another right answer than their questions, first {other[0].id}"
    counts = Counter((one.task, one.split, one.seed, one.format) for one in known)
    wanted = Counter((one.task, one.split) for one in asked.values())
    for (task, split, seed, kind), count in counts.items():
        number = wanted[task, split] if limit is None else min(limit, wanted[task, split])
        labelled = sum(one.label is not None for one in asked.values() if (one.task, one.split) == (task, split))
        if count not in (number, labelled if split == "dev" else number):
            which = f"{task} {split}, seed {seed}, format {kind}"
            yield f"{path}: {count:,} predictions of {which}; there are {number:,} questions"
    once = Counter((one.task, one.id, one.seed, one.format) for one in rows)
    if repeated := [name for name, count in once.items() if count > 1]:
        yield f"{path}: {len(repeated):,} questions are answered twice by one run, the first {repeated[0][1]}"


def _weight_faults(place: str, manifest: Manifest) -> Iterator[str]:
    from train.qa.answerer import weight_faults  # torch, 4 s

    folders = [storage.join(place, str(name)) for name in manifest.summary.get("runs", {})]
    yield from weight_faults(folders)
