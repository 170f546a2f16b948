"""Figures of progress and of Pareto fronts: every value in its place, and an axis that suits them."""

import math

import numpy as np
import pytest

from library.framework import plots

VALUES = {"error": [0.4, 0.1, 0.3, 0.2], "size": [2.0, 512.0, 64.0, 32.0], "seconds": [1.0, 2.0, 0.0, 1.5]}


def test_metric_histories_are_lines_by_epoch_without_what_is_not_finite() -> None:
    [axes] = plots.metric_histories({"a": {2: 0.5, 1: 0.25}, "b": {1: math.nan, 2: 0.75}}, "val/accuracy").axes
    drawn = {line.get_label(): np.array(line.get_xydata()).tolist() for line in axes.lines}
    assert drawn == {"a": [[1, 0.25], [2, 0.5]], "b": [[2, 0.75]]}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("epoch", "val/accuracy", "linear")


@pytest.mark.parametrize(("values", "scale"), [([0.1, 2.0], "log"), ([0.1, 0.9], "linear"), ([-1.0, 20.0], "linear")])
def test_values_above_zero_that_span_a_factor_of_ten_are_on_a_log_scale(values: list[float], scale: str) -> None:
    [axes] = plots.metric_histories({"a": dict(enumerate(values))}, "val/loss").axes
    assert axes.get_yscale() == scale


def test_trials_are_marked_by_how_they_ended_and_the_best_so_far_is_a_line() -> None:
    states = ["complete", "pruned", "complete", "fail", "complete"]
    [axes] = plots.trials([0, 1, 2, 3, 4], [0.5, 0.1, 0.7, math.nan, 0.6], states, "val/loss", "minimize").axes
    drawn = {line.get_label(): np.array(line.get_ydata()).tolist() for line in axes.lines}
    assert drawn == {
        "3 completed": [0.5, 0.7, 0.6],
        "1 pruned, last value": [0.1],
        "best so far": [0.5, 0.5, 0.5],
    }
    [axes] = plots.trials([3], [0.5], ["complete"], "val/accuracy", "maximize").axes
    assert np.array(axes.lines[-1].get_xydata()).tolist() == [[3, 0.5]]


def test_two_objectives_are_one_square_with_a_line_along_the_front() -> None:
    figure = plots.pareto_front(
        {name: VALUES[name] for name in ("error", "size")}, {0: "7", 3: "10", 1: "8"}, selected=3
    )
    [axes] = figure.axes
    points, front, ring = axes.lines
    assert list(points.get_xdata()) == VALUES["error"]
    assert list(zip(*front.get_data(), strict=True)) == [(0.1, 512), (0.2, 32), (0.4, 2)]
    assert (front.get_linestyle(), ring.get_xydata().tolist()) == ("-", [[0.2, 32.0]])
    assert {text.get_text(): text.xy for text in axes.texts} == {"7": (0.4, 2), "10": (0.2, 32), "8": (0.1, 512)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("error", "size")
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")


def test_three_objectives_are_three_squares_without_a_line() -> None:
    figure = plots.pareto_front(VALUES, {0: "0", 1: "1", 2: "2", 3: "3"})
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert labels == [("error", "size"), ("error", "seconds"), ("size", "seconds")]
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2]
    assert {axes.lines[1].get_linestyle() for axes in figure.axes} == {"None"}
    assert figure.axes[1].get_yscale() == "linear", "0 has no place on a logarithmic axis"
    figure.canvas.draw()
