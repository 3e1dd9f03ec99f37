"""Questions and scores of a run: question sets, fine-tunings, evaluations and tables, each into its directory.

    <work>/qa/questions   <work>/qa/finetune/<name>   <work>/qa/evaluate/<name>   <work>/qa/results

Whether a stage is finished already is decided by its manifest; a killed one goes on.
"""

from corpus import storage
from corpus.stage.manifest import Manifest
from corpus.stage.progress import say
from pipelines.workflow.qa_config import QaSection

FOLDER = "qa"
DoneStages = dict[str, tuple[str, Manifest]]  # by what the account calls it: its directory and manifest


def run_qa(section: QaSection, *, work: str, model: str | None) -> DoneStages:
    """Run the stages of the section and return them in order; `model` is the run's own.

    Raises what the stages raise; finished ones stay.
    """
    from corpus.qa.result_stage import commit_results
    from corpus.qa.stage import make_questions
    from train.qa.evaluation import evaluate
    from train.qa.stage import finetune

    base = storage.join(work, FOLDER)
    asked = storage.join(base, "questions")
    say(f"6 qa questions → {asked}")
    done: DoneStages = {"questions": (asked, make_questions(section.questions, asked, partial=section.partial))}
    for name, tuning in section.finetune.items():
        place = storage.join(base, "finetune", name)
        say(f"7 qa finetune → {place}")
        started = _given(tuning.model, f"{model}-{tuning.tokenizer}" if tuning.tokenizer else model)
        done[f"finetune {name}"] = place, finetune(tuning.settings, model=started, questions=asked, output=place)
    for name, scoring in section.evaluate.items():
        place = storage.join(base, "evaluate", name)
        say(f"8 qa evaluate → {place}")
        heads = storage.join(base, "finetune", scoring.finetune) if scoring.finetune else None
        answering = _given(heads or scoring.model, model)
        done[f"evaluate {name}"] = place, evaluate(scoring.settings, model=answering, questions=asked, output=place)
    if section.finetune or section.evaluate:
        place = storage.join(base, "results")
        say(f"9 qa results → {place}")
        folders = [folder for name, (folder, _) in done.items() if name != "questions"]
        done["results"] = place, commit_results(folders, place, base=base, recorded=section.references == "paper")
    return done


def _given(own: str | None, of_run: str | None) -> str:
    """Return a section's own model or else the run's; the configuration was checked to have one of them."""
    model = own or of_run
    assert model is not None, "a run without a model, which `qa_misfits` finds"
    return model
