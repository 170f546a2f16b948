"""Figures of how scores went: along the epochs of several trainings, and along the trials of a study."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

STATES = {"pruned": "x", "fail": "v"}  # the marks of trials that were not completed


def courses(runs: Mapping[str, Mapping[int, float]], metric: str) -> Figure:
    """One metric by epoch, a line for each run; the axis is logarithmic where all is above 0 and spans a factor of 10.

    Args:
        runs: values by epoch, by the run's label; what is not finite is left out.
        metric: what it is called.
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, (label, course) in enumerate(runs.items()):
        points = np.array(sorted(course.items()), dtype=float).reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        axes.plot(*points.T, label=label, color=f"C{place % 10}", marker="o" if len(points) < 15 else "", markersize=3)
    _scale(axes, [value for course in runs.values() for value in course.values()])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel=metric)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def trials(
    numbers: Sequence[int],
    values: Sequence[float],
    states: Sequence[str],
    objective: str,
    direction: Literal["maximize", "minimize"],
) -> Figure:
    """An objective by trial: completed ones as dots, others by what they had reached, and the best so far as a line.

    Args:
        numbers: of the trials, rising.
        values: of each; nan where there is none.
        states: complete, pruned or fail, of each.
        objective: what it is called.
        direction: whether more or less of it is better.
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes, (x, y, state) = figure.subplots(), (np.asarray(numbers), np.asarray(values, float), np.asarray(states))
    done = (state == "complete") & np.isfinite(y)
    axes.plot(x[done], y[done], "o", color="tab:blue", label=f"{done.sum():,} completed")
    for name, mark in STATES.items():
        others = (state == name) & np.isfinite(y)
        if others.any():
            axes.plot(x[others], y[others], mark, color="0.6", label=f"{others.sum():,} {name}, as far as it got")
    best = list(accumulate(y[done], max if direction == "maximize" else min))
    axes.step(x[done], best, where="post", color="tab:red", linewidth=1, label="best so far")
    _scale(axes, y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", ylabel=objective)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _scale(axes: Axes, values: Sequence[float] | np.ndarray) -> None:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if len(known) and known.min() > 0 and known.max() > 10 * known.min():
        axes.set_yscale("log")
