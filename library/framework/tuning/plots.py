"""What a study leaves in its run: how its trials ended, which are best, and figures of its course."""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial

from ..objectives import Objectives
from ..plots import pareto_front
from ..run import Run, columns_of
from .trials import completed, finished_trials, values_of

Table = Mapping[str, Sequence[Any]]
"""The trials of a front, by column: `trial`, the objectives, and `selected`, which is "yes" for the one that won."""


def front_table(front: Sequence[FrozenTrial], best: FrozenTrial, objectives: Objectives) -> Table:
    """A table of a front that is not empty, with the best trial in the first objective on top."""
    first, direction = next(iter(objectives.items()))
    rows: list[dict[str, Any]] = [{"trial": trial.number, **values_of(trial, objectives)} for trial in front]
    rows.sort(key=lambda row: row[first], reverse=direction == "maximize")
    return columns_of([{**row, "selected": "yes" if row["trial"] == best.number else ""} for row in rows])


def log_study(study: Study, objectives: Objectives, front: Table, best: FrozenTrial, run: Run) -> None:
    """How the trials ended, and Optuna's own figures of it; of several objectives their Pareto front too."""
    states = Counter(trial.state.name.lower() for trial in finished_trials(study))
    values = {f"study/best/{name}": value for name, value in values_of(best, objectives).items()}
    run.log_metrics({**values, **{f"study/trials_{name}": n for name, n in states.items()}})
    run.set_tags({"best.trial": best.number})
    if len(objectives) > 1:
        params = [study.trials[number].params for number in front["trial"]]
        varied = dict.fromkeys(name for one in params for name in one)
        run.log_table("front", {**front, **{name: [one.get(name) for one in params] for name in varied}})
        trials = completed(study.get_trials(deepcopy=False))
        columns = columns_of([values_of(trial, objectives) for trial in trials])
        places = {trial.number: place for place, trial in enumerate(trials)}
        names = {places[number]: str(number) for number in front["trial"]}
        run.log_figure("front", pareto_front(columns, names, places[best.number]))
    for place, name in enumerate(objectives):
        _log_figures(study, place, name, run)


def _log_figures(study: Study, place: int, name: str, run: Run) -> None:
    """Optuna's figures of one objective, named after it if there are several."""
    shown: dict[str, Any] = {"target_name": name}
    ending = ""
    if len(study.directions) > 1:
        shown["target"] = lambda trial: trial.values[place]
        ending = f"-{name.replace('/', '-')}"
    plots = optuna.visualization.matplotlib
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these figures are Optuna's, which warns of few trials
        drawings: dict[str, Callable[..., Any]] = {
            "history": plots.plot_optimization_history,
            "slices": plots.plot_slice,
            "parallel-coordinates": plots.plot_parallel_coordinate,
        }
        if len({trial.values[place] for trial in completed(study.get_trials(deepcopy=False))}) > 1:
            drawings["importances"] = plots.plot_param_importances
        for what, draw in drawings.items():
            figure = np.ravel(draw(study, **shown))[0].figure  # of one pair of axes or of an array of them
            figure.set_size_inches(18, 6)
            run.log_figure(f"{what}{ending}", figure)
