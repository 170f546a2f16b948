"""Figures as pure functions of arrays.

Each has a `Figure` of its own, so that no window or global state is needed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from library.sums.metrics.errors import KINDS


def operand_errors(left: np.ndarray, right: np.ndarray, operator: Sequence[str], wrong: np.ndarray) -> Figure:
    """Wrong answers by operands, 0 to 99: a square for each operator that occurs, in the order `+`, `-`, `*`."""
    present = sorted(set(operator), key="+-*".index)
    figure = Figure(figsize=(5 * len(present), 5), layout="constrained")
    for axes, symbol in zip(figure.subplots(1, len(present), squeeze=False).flat, present, strict=True):
        mask = np.array(list(operator)) == symbol
        axes.scatter(right[mask], left[mask], s=2, c="0.88", marker="s", label=f"{mask.sum():,} asked")
        bad = mask & wrong
        axes.scatter(right[bad], left[bad], s=14, c="tab:red", label=f"{bad.sum():,} wrong")
        axes.set(title=f"a {symbol} b", xlabel="b", ylabel="a", xlim=(-2, 101), ylim=(-2, 101), aspect="equal")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False)
    return figure


def group_scores(scores: Mapping[str, Sequence[Any]]) -> Figure:
    """Exact match of each group of `errors.scores_by_group` in its 95 % interval; a line marks that of all queries."""
    rows = range(len(scores["group"]))
    figure = Figure(figsize=(8, 1 + 0.35 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(scores["exact_match"][0], color="0.7", linestyle=":", zorder=0)
    axes.hlines(rows, scores["low"], scores["high"], color="tab:blue")
    axes.plot(scores["exact_match"], rows, "o", color="tab:blue")
    named = zip(scores["group"], scores["queries"], strict=True)
    axes.set_yticks(rows, [f"{group}  (n = {n:,})" for group, n in named])
    axes.invert_yaxis()
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set(xlabel="exact match, with its 95 % interval")
    return figure


def mistake_kinds(kinds: Sequence[str]) -> Figure:
    """The number of mistakes of each kind: a bar for each of `KINDS`; "" is a right answer, as in `errors.kinds`."""
    counts = Counter(kinds)
    wrong = [counts[kind] for kind in KINDS]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.bar_label(axes.barh(KINDS, wrong, color="tab:red"), [f"{count:,}" for count in wrong], padding=3)
    axes.invert_yaxis()
    axes.set(title=f"{sum(wrong):,} of {len(kinds):,} answers are wrong", xlabel="answers")
    axes.set_xlim(0, _format_counts(axes.xaxis, wrong))
    return figure


def differences(values: np.ndarray) -> Figure:
    """A histogram of answer minus truth: a bar for each difference up to 10, wider ones beyond.

    The axis is linear up to 10 and logarithmic beyond, so that 1 and 10 can be told apart whatever the largest is. The
    wider bars hold 11 to 20, 21 to 50, 51 to 100, 101 to 200, ...  Values are those of `errors.differences`.
    """
    wrong = values[values != 0]
    ends = np.append(np.arange(1, 10), np.outer(10 ** np.arange(1, 19), [1, 2, 5]))  # 1, 2, ..., 10, 20, 50, 100, ...
    ends = ends[: max(10, 1 + np.searchsorted(ends, np.abs(wrong).max(initial=1)))]
    edges = np.array([0, *ends]) + 0.5
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    counts, bins = np.histogram(wrong, [*-edges[::-1], *edges])
    axes.bar(bins[:-1], counts, np.diff(bins), align="edge", color="tab:red", edgecolor="white", linewidth=0.5)
    if not len(wrong):
        axes.text(0.5, 0.5, "no wrong answer", ha="center", backgroundcolor="white", transform=axes.transAxes)
    axes.set_xscale("symlog", linthresh=10, linscale=2)
    labelled = [end for end in ends if end == 5 or str(end).strip("0") == "1"]  # 5 and powers of ten
    ticks = [sign * end for sign in (-1, 1) for end in labelled]
    axes.set_xticks(ticks, [f"{tick:+,}" for tick in ticks])
    axes.set_xticks([*-ends, *ends], minor=True)
    axes.set_xlim(-1.2 * ends[-1], 1.2 * ends[-1])
    axes.axvline(0, color="0.7", linestyle=":", zorder=0)
    axes.set(xlabel="answer minus truth", ylabel="answers")
    axes.set(title=f"{len(wrong):,} of {len(values):,} readable answers are wrong")
    axes.set_ylim(0, _format_counts(axes.yaxis, counts))
    return figure


def _format_counts(axis: Axis, counts: Sequence[int] | np.ndarray) -> float:
    """Labels an axis with whole numbers and returns its upper limit, which is above 0 even without counts."""
    axis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter("{x:,.0f}")
    return 1.1 * max([1, *counts])


def image_rows(rows: Mapping[str, np.ndarray]) -> Figure:
    """Images `[images, height, width]` uint8, light ink on a dark background, side by side: a row for each name."""
    images = next(iter(rows.values()))
    height, width = images.shape[1], images.shape[0] * images.shape[2]
    figure = Figure(figsize=(10, 10 * height / width * len(rows) + 0.2), layout="constrained")
    for axes, (name, row) in zip(figure.subplots(len(rows), 1, squeeze=False).flat, rows.items(), strict=True):
        _show_side_by_side(axes, row)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def answered_queries(queries: np.ndarray, answers: Sequence[str], truth: Sequence[str]) -> Figure:
    """Images `[queries, characters, height, width]` of queries, four in a row, with their answers as titles.

    Images are uint8, light ink on a dark background; where an answer is wrong, the title gives the truth too.
    """
    rows = -(-len(queries) // 4)
    figure = Figure(figsize=(8, 0.8 * rows), layout="constrained")
    panels = figure.subplots(rows, 4, squeeze=False).flat
    for axes in panels[len(queries) :]:
        axes.set_axis_off()
    for axes, characters, answer, right in zip(panels, queries, answers, truth, strict=False):
        _show_side_by_side(axes, characters)
        axes.set_title(answer if answer == right else f"{answer}, not {right}", fontsize=10)
    return figure


def _show_side_by_side(axes: Axes, images: np.ndarray) -> None:
    axes.imshow(np.concatenate(list(images), axis=1), cmap="gray_r", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
