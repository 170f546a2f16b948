"""Figures of any experiment: metrics by epoch, trials, Pareto fronts, scores with their errors, confusions."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from .objectives import Direction
from .statistics import Estimate

STATES = {"pruned": "x", "fail": "v"}  # the marks of trials that were not completed


def metric_histories(runs: Mapping[str, Mapping[int, float]], metric: str) -> Figure:
    """One metric by epoch, a line for each run by its label; values that are not finite are left out.

    The axis is logarithmic where values are above 0 and span a factor of 10.
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, (label, history) in enumerate(runs.items()):
        points = np.array(sorted(history.items()), dtype=float).reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        axes.plot(*points.T, label=label, color=f"C{place % 10}", marker="o" if len(points) < 15 else "", markersize=3)
    _finish_progress(axes, "epoch", metric, [value for history in runs.values() for value in history.values()])
    return figure


def trials(
    numbers: Sequence[int], values: Sequence[float], states: Sequence[str], objective: str, direction: Direction
) -> Figure:
    """An objective by trial: completed ones as dots, others at their last value, and the best so far as a line.

    Numbers ascend; a value is nan where there is none; a state is complete, pruned or fail.
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes, (x, y, state) = figure.subplots(), (np.asarray(numbers), np.asarray(values, float), np.asarray(states))
    done = (state == "complete") & np.isfinite(y)
    axes.plot(x[done], y[done], "o", color="tab:blue", label=f"{done.sum():,} completed")
    for name, mark in STATES.items():
        others = (state == name) & np.isfinite(y)
        if others.any():
            axes.plot(x[others], y[others], mark, color="0.6", label=f"{others.sum():,} {name}, last value")
    best = list(accumulate(y[done], max if direction == "maximize" else min))
    axes.step(x[done], best, where="post", color="tab:red", linewidth=1, label="best so far")
    _finish_progress(axes, "trial", objective, y)
    return figure


def tick_locator(values: np.ndarray) -> Locator:
    """The ticks of an axis: whole numbers for whole values; of a logarithmic one so few that they have room."""
    known = values[np.isfinite(values)]
    if _spans_factor_of_10(known):
        return LogLocator(subs=(1, 2, 5) if known.max() < 1000 * known.min() else (1,))
    whole = bool((known == known.round()).all())
    return MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=whole, min_n_ticks=1)


def scale_axis(axes: Axes, which: str, values: Sequence[float] | np.ndarray) -> None:
    """Makes axis x or y logarithmic where values are above 0 and span more than a factor of 10; sets its ticks."""
    ticks, axis = tick_locator(np.asarray(values, float)), getattr(axes, f"{which}axis")
    if isinstance(ticks, LogLocator):
        axes.set(**{f"{which}scale": "log"})
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_locator(ticks)


def _finish_progress(axes: Axes, x_name: str, y_name: str, values: Sequence[float] | np.ndarray) -> None:
    """Scales and names the axes of a figure of progress, and puts its legend beside it."""
    scale_axis(axes, "y", values)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel=x_name, ylabel=y_name)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def _spans_factor_of_10(values: np.ndarray) -> bool:
    """Whether the finite values are above 0 and span more than a factor of 10."""
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() > 0 and known.max() > 10 * known.min())


def pareto_front(
    objectives: Mapping[str, Sequence[float]], front: Mapping[int, str], selected: int | None = None
) -> Figure:
    """One square for each pair of objectives: points grey, the front red and named, the selected one ringed.

    An axis whose values are above 0 and reach over more than a factor of 10 is logarithmic.

    Args:
        objectives: two or more by name, with the value of each point; at least one point.
        front: the names of the points on the front, by their index among the values.
        selected: the index of the one to be ringed.
    """
    pairs = list(combinations(objectives, 2))
    figure = Figure(figsize=(6.5 * len(pairs), 5), layout="constrained")
    places = list(front)
    for axes, (across, up) in zip(figure.subplots(1, len(pairs), squeeze=False).flat, pairs, strict=True):
        x, y = np.asarray(objectives[across], float), np.asarray(objectives[up], float)
        axes.plot(x, y, "o", color="0.75", label=f"{len(x):,} trials")
        order = sorted(places, key=lambda place: (x[place], y[place]))
        # A line where the front is one; of three objectives on a plane it is a cloud.
        style = "o-" if len(objectives) == 2 else "o"
        axes.plot(x[order], y[order], style, color="tab:red", linewidth=0.8, label=f"{len(front):,} non-dominated")
        for place, name in front.items():
            axes.annotate(name, (x[place], y[place]), xytext=(5, 5), textcoords="offset points", fontsize=8)
        if selected is not None:
            axes.plot(x[selected], y[selected], "o", ms=14, mfc="none", color="tab:red", label="selected")
        axes.set(xlabel=across, ylabel=up)
        scale_axis(axes, "x", x)
        scale_axis(axes, "y", y)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)
    return figure


def scores(models: Mapping[str, Mapping[str, Estimate]]) -> Figure:
    """Models or sampling strategies side by side: one square for each score, a dot for each model.

    Its bar is 2 standard errors to either side; none where that is nan.
    """
    names = list(dict.fromkeys(name for row in models.values() for name in row))
    columns = min(5, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(1.5 + 2.6 * columns, 0.3 + rows * (0.8 + 0.35 * len(models))), layout="constrained")
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, place + 1)
        for row, model in enumerate(models.values()):
            if name in model:
                error = 2 * np.nan_to_num(model[name].standard_error)
                axes.errorbar(model[name].value, row, xerr=error or None, fmt="o", capsize=3, color=f"C{row % 10}")
        axes.set_yticks(range(len(models)), [""] * len(models) if place % columns else list(models))
        axes.set(ylim=(len(models) - 0.5, -0.5), xlabel=name)
        axes.grid(alpha=0.3)
    figure.suptitle("bars: 2 standard errors to either side", fontsize=9)
    return figure


def confusions(counts: np.ndarray, characters: Sequence[str]) -> Figure:
    """Which character was answered for which: one square for each position of the answer, from the left.

    Counts are `[length, n, n]` of n characters, or of labels where an answer is one of them.
    """
    rows = -(-len(counts) // 3)
    columns = -(-len(counts) // rows)
    names = ["blank" if character == " " else character for character in characters]
    mistakes = ~np.eye(len(characters), dtype=bool)
    figure = Figure(figsize=(5 * columns, 5 * rows + 0.5), layout="constrained")
    figure.suptitle("red: how often one was answered for another; grey: right; both shaded on a log scale")
    for position, table in enumerate(counts, start=1):
        axes = figure.add_subplot(rows, columns, position)
        _shade(axes, table, ~mistakes, "Greys", counts.max(initial=0, where=~mistakes))
        _shade(axes, table, mistakes, "Reds", counts.max(initial=0, where=mistakes))
        for true, answered in np.argwhere(mistakes & (table > 0)):
            axes.text(answered, true, f"{table[true, answered]}", ha="center", va="center", fontsize=7)
        title = f"position {position} of {len(counts)}" if len(counts) > 1 else ""
        axes.set(title=title, xlabel="answered", ylabel="true")
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
    return figure


def _shade(axes: Axes, table: np.ndarray, cells: np.ndarray, colors: str, largest: int) -> None:
    """Shades those cells that are not 0, dark enough to stand out from white and pale enough for black text."""
    top = max(2.0, largest)
    axes.imshow(np.ma.masked_where(~cells | (table == 0), table), cmap=colors, norm=LogNorm(top**-0.5, top**2))


def side_by_side(images: Mapping[str, np.ndarray]) -> Figure:
    """Images `[height, width, 3 or 4]` in their size, by title: upright ones beside one another, wide ones below."""
    height, width = (max(picture.shape[axis] for picture in images.values()) for axis in (0, 1))
    wide = width > 2 * height
    down, across = (len(images), 1) if wide else (1, len(images))
    figure = Figure(figsize=(across * width / 100 + 0.2, down * (height / 100 + 0.4)), layout="constrained")
    for axes, (title, picture) in zip(figure.subplots(down, across, squeeze=False).flat, images.items(), strict=True):
        axes.imshow(picture)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
    return figure


def interval_lines(lines: Mapping[str, Sequence[Mapping[str, Any]]], x: str, y: str) -> Figure:
    """A metric of several models along some quantity, each with its 95 % interval; seeds are dots.

    Args:
        lines: rows by the line's name, each with `x`, `y`, `low` and `high` (None: no interval), and `seeds`.
        x: the key of what stands on the axis; values are spaced evenly.
        y: the key of the metric.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    ticks: dict[Any, int] = {}
    for name, rows in lines.items():
        places = [ticks.setdefault(row[x], len(ticks)) for row in rows]
        # Rounding may put an interval's end slightly on the wrong side of its middle.
        ends = [
            [0.0 if row[end] is None else max(0.0, sign * (row[end] - row[y])) for row in rows]
            for end, sign in (("low", -1), ("high", 1))
        ]
        drawn = axes.errorbar(places, [row[y] for row in rows], ends, marker="o", capsize=3, label=name)
        for place, row in zip(places, rows, strict=True):
            if len(row["seeds"]) > 1:
                axes.plot([place] * len(row["seeds"]), row["seeds"], ".", alpha=0.5, color=drawn[0].get_color())
    axes.set_xticks(range(len(ticks)), [str(tick) for tick in ticks])
    axes.set(xlabel=x.replace("_", " "), ylabel=f"{y.replace('_', ' ')}, with its 95 % interval")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return figure
