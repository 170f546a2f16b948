"""Figures of progress, studies and Pareto fronts: every value in its place, and an axis that suits them."""

import math

import numpy as np
import pytest

from library.framework import plots
from library.framework.tuning import plots as study_plots

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


PARAMS = {
    "rate": [1e-5, 1e-2, 1e-3, 1e-1],
    "units": [16, 512, 64, 128],
    "depth": [1, 2, 1, 2],
    "cell": ["lstm", "gru", "gru", "lstm"],
    "dropout": [0.1, math.nan, math.nan, 0.25],
}
STATES = ["complete", "pruned", "complete", "fail"]


def test_slices_show_every_trial_by_how_it_ended_on_axes_whose_ticks_suit_the_param_and_have_room() -> None:
    figure = study_plots.slices(PARAMS, [0.5, 0.25, 1.0, 0.75], STATES, "val/accuracy")
    figure.canvas.draw()
    shown = {axes.get_xlabel(): axes for axes in figure.axes if axes.axison}
    assert list(shown) == list(PARAMS)
    drawn = {line.get_label(): np.array(line.get_xydata()).tolist() for line in shown["units"].lines}
    assert drawn == {"complete": [[16, 0.5], [64, 1.0]], "pruned": [[512, 0.25]], "fail": [[128, 0.75]]}
    assert [shown[name].get_xscale() for name in PARAMS] == ["log", "log", "linear", "linear", "linear"]
    ticks = {name: [text for text in axes.get_xticklabels() if text.get_text()] for name, axes in shown.items()}
    words = {name: [text.get_text() for text in one] for name, one in ticks.items()}
    assert words["rate"][2:-1] == ["0.0001", "0.001", "0.01", "0.1"]
    assert words["cell"] == ["gru", "lstm"]
    assert not [word for name in ("units", "depth") for word in words[name] if "." in word]
    for axes in shown.values():
        assert [text.get_text() for text in axes.get_xticklabels(minor=True) if text.get_text()] == []
    [legend] = study_plots.slices({"units": [1, 2]}, [0.5, 0.25], ["complete", "pruned"], "val/accuracy").legends
    assert [text.get_text() for text in legend.get_texts()] == ["complete", "pruned"]


def test_parallel_coordinates_are_a_line_for_each_trial_in_grey_and_dashed_unless_completed() -> None:
    figure = study_plots.parallel_coordinates(PARAMS, [0.5, 0.25, 1.0, 0.75], STATES, "val/accuracy")
    [axes] = figure.axes
    [lines] = axes.collections
    heights = np.array([path.vertices[:, 1] for path in lines.get_paths()])
    np.testing.assert_allclose(heights[:, 0], [0, 0.75, 0.5, 1])
    np.testing.assert_allclose(heights[:, 2:], [[0, 1, 0, 1 / 3], [1, 0, -0.1, 0], [0, 0, -0.1, 1], [1, 1, 1, 2 / 3]])
    assert [offset for offset, _ in lines.get_linestyle()] == [0] * 4
    assert [dashes is None for _, dashes in lines.get_linestyle()] == [True, False, True, False]
    assert [text.get_text() for text in axes.texts if 2 < text.get_position()[0] < 4] == ["1", "2", "gru", "lstm"]
    figure.canvas.draw()


def test_a_single_trial_has_a_whole_number_and_a_study_may_vary_nothing() -> None:
    [axes] = plots.trials([3], [0.5], ["complete"], "val/loss", "minimize").axes
    assert [f"{at:g}" for at in axes.get_xticks() if 2.9 < at < 3.1] == ["3"]
    for draw in (study_plots.slices, study_plots.parallel_coordinates):
        draw({}, [0.5], ["complete"], "val/loss").canvas.draw()


def test_importances_are_bars_in_the_order_given() -> None:
    [axes] = study_plots.importances({"rate": 0.75, "units": 0.25}, "val/loss").axes
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.25]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["rate", "units"]
    assert axes.get_xlabel() == "share of the variation of val/loss"
