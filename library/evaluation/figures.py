"""Figures as pure functions of arrays; drawn on a figure of their own, so that no window or global state is needed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from library.evaluation.mistakes import KINDS


def operand_errors(left: np.ndarray, right: np.ndarray, operator: Sequence[str], wrong: np.ndarray) -> Figure:
    """Where a model errs: one square of 100x100 operands for each operator that occurs, in the order `+`, `-`, `*`.

    Args:
        left: left operands of the queries, 0 to 99; at least one.
        right: right operands.
        operator: `+`, `-` or `*` of each query.
        wrong: whether its answer is wrong.
    """
    present = sorted(set(operator), key="+-*".index)
    figure = Figure(figsize=(5 * len(present), 5), layout="constrained")
    for axes, symbol in zip(figure.subplots(1, len(present), squeeze=False).flat, present, strict=True):
        asked = np.array(list(operator)) == symbol
        axes.scatter(right[asked], left[asked], s=2, c="0.88", marker="s", label=f"{asked.sum():,} asked")
        bad = asked & wrong
        axes.scatter(right[bad], left[bad], s=14, c="tab:red", label=f"{bad.sum():,} wrong")
        axes.set(title=f"a {symbol} b", xlabel="b", ylabel="a", xlim=(-2, 101), ylim=(-2, 101), aspect="equal")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False)
    return figure


def group_scores(scores: Mapping[str, Sequence[Any]]) -> Figure:
    """Exact match of each group as a dot in its 95 % interval; a dotted line marks the first, which is all queries.

    Args:
        scores: the columns that `mistakes.scores_by_group` gives.
    """
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
    """How many answers err in which way: one bar for each of `KINDS`.

    Args:
        kinds: each answer's kind of mistake, "" where it is right, as `mistakes.kinds` gives them.
    """
    counts = Counter(kinds)
    wrong = [counts[kind] for kind in KINDS]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.bar_label(axes.barh(KINDS, wrong, color="tab:red"), [f"{count:,}" for count in wrong], padding=3)
    axes.invert_yaxis()
    _count_axis(axes.xaxis)
    axes.set(title=f"{sum(wrong):,} of {len(kinds):,} answers are wrong", xlabel="answers", xlim=(0, _room(wrong)))
    return figure


def confusions(counts: np.ndarray, characters: Sequence[str]) -> Figure:
    """Which character was answered for which: one square for each position of the answer, from the left.

    Args:
        counts: `[length, n, n]` as `mistakes.confusion` gives them.
        characters: the n characters, or labels where an answer is one of them.
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


def differences(values: np.ndarray) -> Figure:
    """By how much wrong answers are off, to either side of 0: a bar for each difference up to 10, wider ones beyond.

    The axis is even up to 10 and logarithmic from there, so that being off by 1 or 10 shows whatever the largest is.
    The wider bars hold 11 to 20, 21 to 50, 51 to 100, 101 to 200, ...

    Args:
        values: answer minus truth of every readable answer, as `mistakes.differences` gives them.
    """
    wrong = values[values != 0]
    ends = _ends(np.abs(wrong).max(initial=1))
    edges = np.array([0, *ends]) + 0.5
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    counts, bins = np.histogram(wrong, [*-edges[::-1], *edges])
    axes.bar(bins[:-1], counts, np.diff(bins), align="edge", color="tab:red", edgecolor="white", linewidth=0.5)
    if not len(wrong):
        axes.text(0.5, 0.5, "no wrong answer", ha="center", backgroundcolor="white", transform=axes.transAxes)
    _signed_log_axis(axes, ends)
    _count_axis(axes.yaxis)
    axes.set(title=f"{len(wrong):,} of {len(values):,} readable answers are wrong", ylim=(0, _room(counts)))
    axes.set(xlabel="answer minus truth", ylabel="answers")
    return figure


def _room(counts: Sequence[int] | np.ndarray) -> float:
    """The end of an axis of counts, with room beyond the largest; no axis ends where it begins."""
    return 1.1 * max([1, *counts])


def _count_axis(axis: Axis) -> None:
    axis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter("{x:,.0f}")


def _shade(axes: Axes, table: np.ndarray, cells: np.ndarray, colours: str, largest: int) -> None:
    """Shades those cells that are not 0, from a fifth of the colours' range for 1 to three fifths for the largest.

    Paler would not stand out from white; darker would hide black text.
    """
    top = max(2.0, largest)
    axes.imshow(np.ma.masked_where(~cells | (table == 0), table), cmap=colours, norm=LogNorm(top**-0.5, top**2))


def _ends(largest: int) -> np.ndarray:
    """1, 2, 3, ..., 10, 20, 50, 100, 200, ... up to the first, from 10 on, that is not below `largest`."""
    ends = np.append(np.arange(1, 10), np.outer(10 ** np.arange(1, 19), [1, 2, 5]))
    return ends[: max(10, 1 + np.searchsorted(ends, largest))]


def _signed_log_axis(axes: Axes, marks: np.ndarray) -> None:
    """The x-axis with all marks on both sides of 0; it names 1, 5 and the powers of ten."""
    named = [mark for mark in marks if mark == 5 or str(mark).strip("0") == "1"]
    axes.set_xscale("symlog", linthresh=10, linscale=2)
    axes.set_xticks([sign * mark for sign in (-1, 1) for mark in named], [f"{s}{m:,}" for s in "-+" for m in named])
    axes.set_xticks([*-marks, *marks], minor=True)
    axes.set_xlim(-1.2 * marks[-1], 1.2 * marks[-1])
    axes.axvline(0, color="0.7", linestyle=":", zorder=0)


def image_rows(rows: Mapping[str, np.ndarray]) -> Figure:
    """Images side by side, one row of them for each name.

    Args:
        rows: `[images, height, width]` uint8, light ink on a dark ground, of one shape for all.
    """
    images = next(iter(rows.values()))
    height, width = images.shape[1], images.shape[0] * images.shape[2]
    figure = Figure(figsize=(10, 10 * height / width * len(rows) + 0.2), layout="constrained")
    for axes, (name, row) in zip(figure.subplots(len(rows), 1, squeeze=False).flat, rows.items(), strict=True):
        axes.imshow(np.concatenate(list(row), axis=1), cmap="gray_r", vmin=0, vmax=255)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
        axes.set(xticks=[], yticks=[])
    return figure


def readings(queries: np.ndarray, answers: Sequence[str], truth: Sequence[str]) -> Figure:
    """Queries as they were drawn, four to a row, each below its answer, and below the right one where that is another.

    Args:
        queries: `[queries, characters, height, width]` uint8, light ink on a dark ground; at least one.
        answers: given to them.
        truth: the right answers.
    """
    rows = -(-len(queries) // 4)
    figure = Figure(figsize=(8, 0.8 * rows), layout="constrained")
    panels = figure.subplots(rows, 4, squeeze=False).flat
    for axes in panels[len(queries) :]:
        axes.set_axis_off()
    for axes, characters, answer, right in zip(panels, queries, answers, truth, strict=False):
        axes.imshow(np.concatenate(list(characters), axis=1), cmap="gray_r", vmin=0, vmax=255)
        axes.set(xticks=[], yticks=[])
        axes.set_title(answer if answer == right else f"{answer}, not {right}", fontsize=10)
    return figure


def pictures(shown: Mapping[str, np.ndarray]) -> Figure:
    """Finished pictures under a title each: upright ones beside one another, wide ones below one another.

    Args:
        shown: by title, `[height, width, 3 or 4]`, as large as they are shown.
    """
    height, width = (max(picture.shape[axis] for picture in shown.values()) for axis in (0, 1))
    wide = width > 2 * height
    down, across = (len(shown), 1) if wide else (1, len(shown))
    figure = Figure(figsize=(across * width / 100 + 0.2, down * (height / 100 + 0.4)), layout="constrained")
    for axes, (title, picture) in zip(figure.subplots(down, across, squeeze=False).flat, shown.items(), strict=True):
        axes.imshow(picture)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
    return figure


def interval_lines(title: str, x: str, lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Exact match of several models along some quantity, each with its 95 % interval; seeds are dots.

    Args:
        title: of the axis.
        x: the key of what stands on it; values are set apart evenly, as named.
        lines: rows by the line's name, each with `x`, `exact_match`, `low`, `high` and `seeds`.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    ticks: dict[Any, int] = {}
    for name, rows in lines.items():
        places = [ticks.setdefault(row[x], len(ticks)) for row in rows]
        middle = [row["exact_match"] for row in rows]
        # Rounding may put an interval's end a hair on the wrong side of its middle.
        below = [max(0.0, row["exact_match"] - row["low"]) for row in rows]
        above = [max(0.0, row["high"] - row["exact_match"]) for row in rows]
        drawn = axes.errorbar(places, middle, [below, above], marker="o", capsize=3, label=name)
        for place, row in zip(places, rows, strict=True):
            if len(row["seeds"]) > 1:
                axes.plot([place] * len(row["seeds"]), row["seeds"], ".", alpha=0.5, color=drawn[0].get_color())
    axes.set_xticks(range(len(ticks)), [str(tick) for tick in ticks])
    axes.set(xlabel=title, ylabel="exact match, with its 95 % interval")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return figure
