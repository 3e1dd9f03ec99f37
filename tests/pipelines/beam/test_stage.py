"""Progress of a stage: a store is looked into now and then, and one that fails to answer stops nothing."""

import pytest

from corpus.stage.workspace import Receipt, Workspace, plan_stage
from pipelines.beam import stage


@pytest.fixture
def workspace() -> Workspace:
    return plan_stage("memory://progress", stage="extract", revision=1, config={}, inputs=[])[0]


def test_tasks_done_in_a_store_are_counted_now_and_then(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.finish(Receipt(task="a"))
    seldom = stage._num_shown(workspace)
    assert [seldom(), seldom()] == [0, 0]
    monkeypatch.setattr(stage, "ASK_SECONDS", 0.0)
    assert seldom() == 1
    workspace.finish(Receipt(task="b"))
    assert seldom() == 2

    def failing(_: Workspace) -> int:
        raise ConnectionError("the store is away")

    monkeypatch.setattr(Workspace, "num_finished", failing)
    assert seldom() == 2
