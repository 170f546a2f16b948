"""What a study shows on a terminal: lines that align where they wrap, and what each worker is doing."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from library.framework.options import StudyOptions
from library.framework.tracking.folder import FolderStore
from library.framework.tuning.progress import Progress
from library.framework.tuning.search import Search
from tests import tiny

PARAMS = {"units": 64, "learning_rate": 0.00123456, "weight_decay": 0.01, "dropout": 0.25, "batch_size": 128}


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Progress]:
    """Makes a study's progress on a terminal of so many columns."""

    def progress(columns: int) -> Progress:
        for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "COLUMNS": str(columns), "LINES": "24"}.items():
            monkeypatch.setenv(name, value)
        return Progress(Search(tiny.Tiny(), tiny.space, (), StudyOptions(trials=9, workers=2), FolderStore(Path())))

    return progress


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out).splitlines()]


def finished(state: TrialState = TrialState.COMPLETE, reason: str = "") -> list[object]:
    kinds = {
        name: IntDistribution(1, 999) if isinstance(v, int) else FloatDistribution(0, 1) for name, v in PARAMS.items()
    }
    values = {"value": 0.123456} if state is TrialState.COMPLETE else {"user_attrs": {"reason": reason}}
    trial = create_trial(state=state, params=PARAMS, distributions=kinds, **values)
    trial.number = 7
    return [trial]


def test_a_line_that_wraps_goes_on_below_its_params_and_breaks_none(
    on_terminal: Callable[[int], Progress], capsys: pytest.CaptureFixture[str]
) -> None:
    head = "trial   7  complete  val/loss 0.12346  "
    on_terminal(80).show(finished())
    assert printed(capsys) == [
        f"{head}units 64  learning_rate 0.00123",
        f"{' ' * len(head)}weight_decay 0.01  dropout 0.25",
        f"{' ' * len(head)}batch_size 128",
    ]
    on_terminal(200).show(finished())
    [line] = printed(capsys)
    assert line == f"{head}units 64  learning_rate 0.00123  weight_decay 0.01  dropout 0.25  batch_size 128"
    run = "0123456789abcdef0123456789abcdef"
    on_terminal(80).show(
        finished(TrialState.FAIL, f"RuntimeError: a long reason of [bold] which run {run} is to blame")
    )
    lines = printed(capsys)
    assert any(run in line for line in lines)
    assert {len(line) - len(line.lstrip()) for line in lines[1:]} == {len("trial   7  complete  ")}


def test_a_duplicate_names_the_trial_whose_config_it_has_and_does_not_count(
    on_terminal: Callable[[int], Progress], capsys: pytest.CaptureFixture[str]
) -> None:
    [duplicate] = finished()
    duplicate.set_user_attr("reason", "same as trial 3")
    duplicate.set_user_attr("repeats_config", 3)
    progress = on_terminal(200)
    assert progress.show([duplicate])
    assert not progress.show([duplicate])
    assert printed(capsys)[0].startswith("trial   7  complete  same as trial 3  units 64")
    assert progress.tasks[0].completed == 0


def test_a_worker_has_a_bar_with_its_trial_epoch_and_objective_while_it_has_a_trial(
    on_terminal: Callable[[int], Progress], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = on_terminal(80)

    def shown(*rows: list[float], **nodes: str) -> list[str]:
        progress.show_running({f"w{place}": row for place, row in enumerate(rows)}, nodes)
        progress.console.print(progress.get_renderable())
        return [re.sub(r"\s*[━╸╺]+\s*", " | ", line) for line in printed(capsys)[1:]]

    assert shown([0, -1, 0, math.nan], [0, -1, 0, math.nan]) == []
    end = "epochs 0:00:00 left -:--:--"
    assert shown([1, 0, 5, math.nan], [0, 3, 5, 0.123456]) == [
        f"trial   1 | 0/5 {end}",
        f"trial   0  val/loss 0.12346 | 3/5 {end}",
    ]
    assert shown([2, 1, 4, 0.5], [0, -1, 5, 0.123456]) == [f"trial   2  val/loss 0.5 | 1/4 {end}"]
    assert shown([3, 1, 4, 0.5], w0="10.0.0.2") == [f"trial   3 on 10.0.0.2  val/loss 0.5 | 1/4 {end}"]
    assert len(shown(*([n, 1, 4, 0.5] for n in range(256)))) < 24, "as many as there is room for"
