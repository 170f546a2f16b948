"""What a study leaves in its run: how its trials ended, which are best, and figures of its course."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from optuna.study import Study
from optuna.trial import FrozenTrial

from ..objectives import Objectives
from ..plots import STATES, pareto_front, scale_axis, tick_locator, trials
from ..run import Run, columns_of
from .results import StudyResults
from .trials import completed, finished_trials, reached, values_of

Table = Mapping[str, Sequence[Any]]
"""The trials of a front, by column: `trial`, the objectives, and `selected`, which is "yes" for the one that won."""


def front_table(front: Sequence[FrozenTrial], best: FrozenTrial, objectives: Objectives) -> Table:
    """A table of a front that is not empty, with the best trial in the first objective on top."""
    first, direction = next(iter(objectives.items()))
    rows: list[dict[str, Any]] = [{"trial": trial.number, **values_of(trial, objectives)} for trial in front]
    rows.sort(key=lambda row: row[first], reverse=direction == "maximize")
    return columns_of([{**row, "selected": "yes" if row["trial"] == best.number else ""} for row in rows])


def log_study(study: Study, objectives: Objectives, front: Table, best: FrozenTrial, run: Run) -> None:
    """How the trials ended, and figures of it; of several objectives their Pareto front too."""
    states = Counter(trial.state.name.lower() for trial in finished_trials(study))
    values = {f"study/best/{name}": value for name, value in values_of(best, objectives).items()}
    run.log_metrics({**values, **{f"study/trials_{name}": n for name, n in states.items()}})
    run.set_tags({"best.trial": best.number})
    if len(objectives) > 1:
        params = [study.trials[number].params for number in front["trial"]]
        varied = dict.fromkeys(name for one in params for name in one)
        run.log_table("front", {**front, **{name: [one.get(name) for one in params] for name in varied}})
        done = completed(study.get_trials(deepcopy=False))
        columns = columns_of([values_of(trial, objectives) for trial in done])
        places = {trial.number: place for place, trial in enumerate(done)}
        names = {places[number]: str(number) for number in front["trial"]}
        run.log_figure("front", pareto_front(columns, names, places[best.number]))
    for name in objectives:
        _log_figures(study, name, objectives, run)


def _log_figures(study: Study, name: str, objectives: Objectives, run: Run) -> None:
    """Figures of one objective, named after it if there are several."""
    ending = f"-{name.replace('/', '-')}" if len(objectives) > 1 else ""
    shown = [trial for trial in finished_trials(study) if name in reached(trial, objectives)]
    values = [reached(trial, objectives)[name] for trial in shown]
    states = [trial.state.name.lower() for trial in shown]
    varied = dict.fromkeys(param for trial in shown for param in trial.params)
    params = {param: [trial.params.get(param, math.nan) for trial in shown] for param in varied}
    numbers = [trial.number for trial in shown]
    run.log_figure(f"history{ending}", trials(numbers, values, states, name, objectives[name]))
    run.log_figure(f"slices{ending}", slices(params, values, states, name))
    run.log_figure(f"parallel-coordinates{ending}", parallel_coordinates(params, values, states, name))
    if shares := StudyResults(study, objectives).importances(name).to_dict():
        run.log_figure(f"importances{ending}", importances(shares, name))


def slices(params: Mapping[str, Sequence[Any]], values: Sequence[float], states: Sequence[str], name: str) -> Figure:
    """An objective by each param, a square each: completed trials as dots, others at their last value.

    Args:
        params: the value of each trial by param: numbers, or categories; nan where the trial has no such param.
        values: of the objective, finite.
        states: how each trial ended: complete, pruned or fail.
        name: of the objective.
    """
    across = min(4, max(1, len(params)))
    down = max(1, -(-len(params) // across))
    figure = Figure(figsize=(1 + 3 * across, 0.5 + 3 * down), layout="constrained")
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    y, state = np.asarray(values, float), np.asarray(states)
    for axes in grid.flat[len(params) :]:
        axes.set_axis_off()
    for axes, (param, given) in zip(grid.flat, params.items(), strict=False):
        x, categories = _numbers(given)
        for kind in sorted(set(states)):
            mark, color = ("o", "tab:blue") if kind == "complete" else (STATES[kind], "0.5")
            axes.plot(x[state == kind], y[state == kind], mark, color=color, alpha=0.7, label=kind)
        scale_axis(axes, "x", x)
        if categories:
            axes.set_xticks(range(len(categories)), categories)
        axes.tick_params(axis="x", rotation=45, rotation_mode="xtick")
        axes.set(xlabel=param)
        axes.grid(alpha=0.3)
    scale_axis(grid[0, 0], "y", y)
    figure.supylabel(name, fontsize="medium")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
    return figure


def parallel_coordinates(
    params: Mapping[str, Sequence[Any]], values: Sequence[float], states: Sequence[str], name: str
) -> Figure:
    """A line for each trial through its params and its objective, coloured by the latter; grey unless completed.

    Arguments are those of `slices`.
    """
    figure = Figure(figsize=(2 + 1.6 * len(params), 4), layout="constrained")
    axes, columns, heights = figure.subplots(), {**params, name: values}, []
    for place, given in enumerate(columns.values()):
        x, categories = _numbers(given)
        ticks = tick_locator(x)
        scale = np.log if isinstance(ticks, LogLocator) else np.asarray
        low, high = np.nanmin(x), np.nanmax(x)
        span = scale(high) - scale(low) or 1
        for at in [at for at in ticks.tick_values(low, high) if low <= at <= high] or [low]:
            label = categories[int(at)] if categories else f"{at:g}"
            box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1}
            axes.text(place + 0.03, (scale(at) - scale(low)) / span, label, va="center", fontsize=8, bbox=box)
        axes.axvline(place, color="0.3", linewidth=1)
        if np.isnan(x).any():
            axes.text(place + 0.03, -0.1, "none", va="center", fontsize=8)
        heights.append(np.nan_to_num((scale(x) - scale(low)) / span, nan=-0.1))
    done = [state == "complete" for state in states]
    colors = [colormaps["viridis"](height) if one else "0.7" for height, one in zip(heights[-1], done, strict=True)]
    lines = [np.column_stack([range(len(columns)), row]) for row in np.column_stack(heights)]
    axes.add_collection(LineCollection(lines, colors=colors, linestyles=["-" if one else "--" for one in done]))
    axes.set(xlim=(-0.1, len(params) + 0.5), ylim=(-0.15, 1.05), yticks=[], title="dashed: not completed, last value")
    axes.set_xticks(range(len(columns)), columns)
    axes.spines[:].set_visible(False)
    return figure


def importances(shares: Mapping[str, float], name: str) -> Figure:
    """How much of an objective's variation each param explains, as a share of 1: a bar each, in the order given."""
    figure = Figure(figsize=(8, 1.2 + 0.35 * len(shares)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(shares), list(shares.values()), color="tab:blue")
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel=f"share of the variation of {name}")
    return figure


def _numbers(values: Sequence[Any]) -> tuple[np.ndarray, list[str]]:
    """Numbers as they are; else each value's index among the categories, and these. nan stays nan."""
    known = [value for value in values if value == value]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return np.asarray(values, float), []
    categories = sorted({str(value) for value in known})
    return np.array([categories.index(str(one)) if one == one else np.nan for one in values]), categories
