"""Figures: their marks, bars, counts and titles, not their pixels."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from library.framework import plots
from library.sums import figures
from library.sums.metrics import errors

CHARACTERS = "0123456789- "


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def bars(axes: Axes) -> dict[tuple[int, int], float]:
    """The heights of the bars that are not empty, by the first and last integer they stand on."""
    edges = [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_height()) for bar in axes.patches]
    return {(round(low + 0.5), round(high - 0.5)): height for low, high, height in edges if height}


def test_each_wrong_answer_is_marked_in_the_square_of_its_operator() -> None:
    left, wrong = np.arange(1, 7), np.array([False, True, False, True, True, False])
    sums, differences = figures.operand_errors(left, 10 * left, "+++---", wrong).axes
    marks = [[points.get_offsets().tolist() for points in axes.collections] for axes in (sums, differences)]
    assert marks[0] == [[[10, 1], [20, 2], [30, 3]], [[20, 2]]]
    assert marks[1] == [[[40, 4], [50, 5], [60, 6]], [[40, 4], [50, 5]]]
    assert [axes.get_title() for axes in (sums, differences)] == ["a + b", "a - b"]
    assert [text.get_text() for text in differences.get_legend().get_texts()] == ["3 asked", "2 wrong"]


@pytest.mark.parametrize(
    ("operator", "titles"), [("***", ["a * b"]), ("*-*", ["a - b", "a * b"]), ("*-+", ["a + b", "a - b", "a * b"])]
)
def test_each_operator_that_occurs_has_its_square(operator: str, titles: list[str]) -> None:
    numbers = np.arange(3)
    figure = figures.operand_errors(numbers, numbers, tuple(operator), numbers > 5)
    assert [axes.get_title() for axes in figure.axes] == titles
    assert [len(axes.collections[1].get_offsets()) for axes in figure.axes] == [0] * len(titles)  # no error, no mark
    assert figure.get_size_inches().tolist() == [5 * len(titles), 5]


def test_the_score_of_each_group_is_a_dot_within_its_interval() -> None:
    right = np.array([True] * 1500 + [False] * 500)
    scores = errors.scores_by_group(right, {"carry": np.arange(2000) < 1600, "no carry": np.arange(2000) >= 1600})
    (axes,) = figures.group_scores(scores).axes
    (intervals,) = axes.collections
    line, dots = axes.lines
    expected = [[[low, i], [high, i]] for i, (low, high) in enumerate(zip(scores["low"], scores["high"], strict=True))]
    assert [segment.tolist() for segment in intervals.get_segments()] == expected
    assert dots.get_xydata().tolist() == [[0.75, 0], [1500 / 1600, 1], [0, 2]]
    assert list(line.get_xdata()) == [0.75, 0.75]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["all  (n = 2,000)", "carry  (n = 1,600)", "no carry  (n = 400)"]
    bottom, top = axes.get_ylim()
    assert bottom > top  # the first row is above


@pytest.mark.parametrize(
    ("mistakes", "counts", "title"),
    [
        (["off by one", "sign", "off by one", "other", *["length"] * 1200], [2, 0, 1, 1200, 0, 1], "1,204 of 1,207"),
        ([], [0] * 6, "0 of 3"),
    ],
)
def test_all_kinds_of_mistake_have_a_bar(mistakes: list[str], counts: list[int], title: str) -> None:
    (axes,) = figures.mistake_kinds(["", *mistakes, "", ""]).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(errors.KINDS)
    assert [bar.get_width() for bar in axes.patches] == counts
    assert written(axes) == [f"{count:,}" for count in counts]
    assert axes.get_title() == f"{title} answers are wrong"
    assert axes.get_xlim()[1] > max(counts)


def test_each_position_has_a_square_with_its_mistakes_counted() -> None:
    truth, answers = ["12", "12", "3", "-4"], ["12", "13", "13", "14"]
    figure = plots.confusions(errors.confusion(truth, answers, CHARACTERS, 2), CHARACTERS)
    first, last = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["position 1 of 2", "position 2 of 2"]
    placed = [{text.get_position(): text.get_text() for text in axes.texts} for axes in figure.axes]
    assert placed == [{(1, 11): "1", (1, 10): "1"}, {(3, 2): "1"}]  # (answered, true)
    for axes in (first, last):
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            assert [label.get_text() for label in labels] == [*"0123456789-", "blank"]
    for length, grid in {1: (1, 1), 3: (1, 3), 4: (2, 2), 5: (2, 3)}.items():  # more than three in two rows
        figure = plots.confusions(np.zeros((length, 2, 2), dtype=int), "01")
        assert (len(figure.axes), figure.axes[0].get_gridspec().get_geometry()) == (length, grid)


def test_right_characters_and_mistakes_are_shaded_apart_and_zeros_not_at_all() -> None:
    counts = np.array([[[9, 0], [4, 0]]])
    (axes,) = plots.confusions(counts, "01").axes
    right, wrong = (image.get_array() for image in axes.images)
    assert right.filled(0).tolist() == [[9, 0], [0, 0]]
    assert wrong.filled(0).tolist() == [[0, 0], [4, 0]]
    assert [image.get_cmap().name for image in axes.images] == ["Greys", "Reds"]
    assert [image.norm(top) for image, top in zip(axes.images, (9, 4), strict=True)] == pytest.approx([0.6, 0.6])
    assert [image.norm(1) for image in axes.images] == pytest.approx([0.2, 0.2])


def test_differences_are_counted_each_up_to_ten_and_in_wider_bars_beyond() -> None:
    values = np.array([0, 0, 1, 1, -1, 10, -10, 11, 20, 21, -50, -51, 100, 4711])
    (axes,) = figures.differences(values).axes
    assert bars(axes) == {
        (-100, -51): 1, (-50, -21): 1, (-10, -10): 1, (-1, -1): 1,
        (1, 1): 2, (10, 10): 1, (11, 20): 2, (21, 50): 1, (51, 100): 1, (2001, 5000): 1,
    }  # fmt: skip
    assert axes.get_title() == "12 of 14 readable answers are wrong"
    assert written(axes) == []
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["-1", "-5", "-10", "-100", "-1,000", "+1", "+5", "+10", "+100", "+1,000"]
    assert axes.get_xticks().tolist() == [-1, -5, -10, -100, -1000, 1, 5, 10, 100, 1000]
    for right in (0, 7):
        (axes,) = figures.differences(np.zeros(right, dtype=np.int64)).axes
        assert (written(axes), bars(axes)) == (["no wrong answer"], {})
        assert axes.get_title() == f"0 of {right} readable answers are wrong"


@settings(deadline=None, max_examples=5)
@given(st.lists(st.integers(-11_000, 11_000), min_size=1))
def test_every_difference_is_in_one_bar_of_an_axis_with_0_in_its_middle(values: list[int]) -> None:
    (axes,) = figures.differences(np.array(values)).axes
    assert sum(bar.get_height() for bar in axes.patches) == sum(value != 0 for value in values)
    low, high = axes.get_xlim()
    assert low == -high
    assert high > max(10, *(abs(value) for value in values))
    assert axes.get_ylim()[1] > max(bar.get_height() for bar in axes.patches)


def test_images_of_queries_have_their_answers_as_titles() -> None:
    queries = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 4), dtype=np.uint8)
    answers, truth = np.array(["1", "2", "33", "4", ""]), np.array(["1", "2", "3", "4", "5"])
    figure = figures.answered_queries(queries, answers, truth)
    assert [axes.get_title() for axes in figure.axes] == ["1", "2", "33, not 3", "4", ", not 5", "", "", ""]
    for axes, query in zip(figure.axes, queries, strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), np.hstack(list(query)))
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False] * 3


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.answered_queries(np.zeros((2, 5, 28, 28), np.uint8), ["-180", "198"], ["198", "198"]),
        lambda: figures.operand_errors(np.arange(2), np.arange(2), "+*", np.array([True, False])),
        lambda: figures.group_scores(errors.scores_by_group(np.array([True]), {})),
        lambda: figures.mistake_kinds([""]),
        lambda: plots.confusions(np.full((4, 12, 12), 10_000), CHARACTERS),
        lambda: figures.differences(np.zeros(0, dtype=int)),
        lambda: figures.differences(np.array([-10_800, 9999])),
    ],
)
def test_every_figure_can_be_written(draw: Callable[[], Figure]) -> None:
    picture = io.BytesIO()
    draw().savefig(picture, format="png", dpi=20)  # a label that does not fit or a missing glyph would warn
    assert picture.getvalue().startswith(b"\x89PNG")
