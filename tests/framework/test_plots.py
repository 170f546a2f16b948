"""Figures of progress: every value in its place, and an axis that suits them."""

import math

import numpy as np
import pytest

from library.framework import plots


def test_courses_are_lines_by_epoch_without_what_is_not_finite() -> None:
    [axes] = plots.courses({"a": {2: 0.5, 1: 0.25}, "b": {1: math.nan, 2: 0.75}}, "val/accuracy").axes
    drawn = {line.get_label(): np.array(line.get_xydata()).tolist() for line in axes.lines}
    assert drawn == {"a": [[1, 0.25], [2, 0.5]], "b": [[2, 0.75]]}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("epoch", "val/accuracy", "linear")


@pytest.mark.parametrize(("values", "scale"), [([0.1, 2.0], "log"), ([0.1, 0.9], "linear"), ([-1.0, 20.0], "linear")])
def test_values_above_zero_that_span_a_factor_of_ten_are_on_a_log_scale(values: list[float], scale: str) -> None:
    [axes] = plots.courses({"a": dict(enumerate(values))}, "val/loss").axes
    assert axes.get_yscale() == scale


def test_trials_are_marked_by_how_they_ended_and_the_best_so_far_is_a_line() -> None:
    states = ["complete", "pruned", "complete", "fail", "complete"]
    [axes] = plots.trials([0, 1, 2, 3, 4], [0.5, 0.1, 0.7, math.nan, 0.6], states, "val/loss", "minimize").axes
    drawn = {line.get_label(): np.array(line.get_ydata()).tolist() for line in axes.lines}
    assert drawn == {
        "3 completed": [0.5, 0.7, 0.6],
        "1 pruned, as far as it got": [0.1],
        "best so far": [0.5, 0.5, 0.5],
    }
    [axes] = plots.trials([3], [0.5], ["complete"], "val/accuracy", "maximize").axes
    assert np.array(axes.lines[-1].get_xydata()).tolist() == [[3, 0.5]]
