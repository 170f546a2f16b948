"""The figure of several objectives at once: what was reached in each, and what nothing else beats."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter


def pareto_front(values: Mapping[str, Sequence[float]], front: Mapping[int, str], chosen: int | None = None) -> Figure:
    """One square for each pair of objectives: all points grey, those on the front red and named, the chosen one ringed.

    An axis whose values are above 0 and reach over more than a factor of 10 is logarithmic.

    Args:
        values: two or more objectives by name, with the value of each point; at least one point.
        front: the names of the points on the front, by their place among the values.
        chosen: the place of the one to be ringed.
    """
    pairs = list(combinations(values, 2))
    figure = Figure(figsize=(6.5 * len(pairs), 5), layout="constrained")
    places = list(front)
    for axes, (across, up) in zip(figure.subplots(1, len(pairs), squeeze=False).flat, pairs, strict=True):
        x, y = np.asarray(values[across], float), np.asarray(values[up], float)
        axes.plot(x, y, "o", color="0.75", label=f"{len(x):,} trials")
        order = sorted(places, key=lambda place: (x[place], y[place]))
        # A line where the front is one; of three objectives on a plane it is a cloud.
        style = "o-" if len(values) == 2 else "o"
        axes.plot(
            x[order], y[order], style, color="tab:red", linewidth=0.8, label=f"{len(front):,} that no other beats"
        )
        for place, name in front.items():
            axes.annotate(name, (x[place], y[place]), xytext=(5, 5), textcoords="offset points", fontsize=8)
        if chosen is not None:
            axes.plot(x[chosen], y[chosen], "o", ms=14, mfc="none", color="tab:red", label="chosen")
        axes.set(xlabel=across, ylabel=up)
        _scale(axes, x, y)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)
    return figure


def _scale(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    for axis, setter, values in ((axes.xaxis, axes.set_xscale, x), (axes.yaxis, axes.set_yscale, y)):
        if values.min() > 0 and values.max() > 10 * values.min():
            setter("log")
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
