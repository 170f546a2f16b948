"""What figures of images and models show: which image is where, their labels, dots and lines."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from library.cats import figures
from library.cats.metrics.neighbors import Nearest
from library.framework import plots
from library.framework.statistics import Estimate


def flat(*greys: int, size: int = 4) -> np.ndarray:
    """Images each of one grey, by which they are told apart."""
    return np.repeat(np.array(greys, dtype=np.uint8), size * size * 3).reshape(-1, size, size, 3)


def shown(axes: Axes, size: int = 4) -> list[list[int]]:
    """The greys of an axes' images, row by row."""
    return np.asarray(axes.images[0].get_array())[::size, ::size, 0].tolist()


def test_a_sheet_has_images_row_by_row_and_white_where_none_are_left() -> None:
    figure = figures.contact_sheet(flat(1, 2, 3, 4, 5), columns=3, title="greys")
    assert shown(figure.axes[0]) == [[1, 2, 3], [4, 5, 255]]
    assert figure.get_suptitle() == "greys"
    figure = figures.contact_sheet(flat(1, 2))
    assert shown(figure.axes[0]) == [[1, 2]]
    assert figure.get_figwidth() == 2 * figures.IMAGE


def test_each_name_has_its_row_and_longer_ones_more_room() -> None:
    figure = figures.labelled_rows({"original": flat(1, 2, 3), "cae": flat(4, 5, 6)}, title="both")
    assert [shown(axes) for axes in figure.axes] == [[[1, 2, 3]], [[4, 5, 6]]]
    assert [axes.get_ylabel() for axes in figure.axes] == ["original", "cae"]
    short, long = (figures.labelled_rows({name: flat(1, 2)}) for name in ("cae", "mixture of ten"))
    assert long.get_figwidth() > short.get_figwidth() + 0.5


def test_of_images_at_one_place_the_nearest_to_it_is_shown() -> None:
    coordinates = np.array([[0.0, 0.0], [10.0, 0.0], [4.8, 5.0], [5.0, 5.0], [10.0, 10.0]])
    (axes,) = figures.latent_map(coordinates, flat(1, 2, 3, 4, 5), across=11).axes
    found = {int(image.get_array()[0, 0, 0]): image.get_extent() for image in axes.images}
    assert set(found) == {1, 2, 4, 5}
    assert found[4] == pytest.approx([4.5, 5.5, 4.5, 5.5])
    assert axes.lines[0].get_xydata().tolist() == coordinates.tolist()


def test_the_nearest_pairs_come_first_with_their_distances() -> None:
    found = Nearest(np.array([3.0, 1.5, 2.0]), np.array([1, 0, 1]))
    figure = figures.nearest_pairs(flat(1, 2, 3), flat(101, 102), found, count=2)
    above, below = figure.axes
    assert (shown(above), shown(below)) == ([[2, 3]], [[101, 102]])
    assert [label.get_text() for label in below.get_xticklabels()] == ["1.5", "2"]
    assert below.get_xticks().tolist() == [1.5, 5.5]  # the middles of images 4 wide


def test_each_score_has_a_square_with_a_dot_and_two_errors_for_each_model() -> None:
    models = {
        "vae": {"kid": Estimate(0.3, 0.05), "coverage": Estimate(0.5, float("nan"))},
        "gan": {"kid": Estimate(0.1, 0.02)},
    }
    kid, coverage = plots.scores(models).axes
    assert [axes.get_xlabel() for axes in (kid, coverage)] == ["kid", "coverage"]
    assert [label.get_text() for label in kid.get_yticklabels()] == ["vae", "gan"]
    dots = [container.lines[0].get_xydata().tolist() for container in kid.containers]
    assert dots == [[[0.3, 0]], [[0.1, 1]]]
    bars = [container.lines[2][0].get_segments()[0][:, 0] for container in kid.containers]
    np.testing.assert_allclose(bars, [[0.2, 0.4], [0.06, 0.14]])
    (only,) = coverage.containers
    assert only.lines[2] == ()
    assert kid.get_ylim() == (1.5, -0.5)  # the first model is above


def test_dimensions_stand_in_the_order_of_what_they_say_and_unused_ones_are_grey() -> None:
    means = np.array([[1.0], [-1.0]]) * [0.05, 1, 2]
    (axes,) = figures.kl_bars(np.array([0.25, 1.0, 2.5]), means).axes
    assert [bar.get_height() for bar in axes.patches] == [2.5, 1.0, 0.25]
    assert axes.get_title() == "2 of 3 dimensions are active; 3.8 nats in all"
    colours = [bar.get_facecolor()[:3] for bar in axes.patches]
    assert colours[0] == colours[1] != colours[2] == (0.7, 0.7, 0.7)


def test_each_score_has_a_square_with_a_line_for_each_model_that_has_it() -> None:
    course = [(1.0, 0.5), (2.0, float("nan")), (3.0, 0.25)]
    figure = figures.training_curves({"vae": {"kid": course, "ssim": [(1, 0.5)]}, "gan": {"kid": [(2, 1)]}}, x="epoch")
    kid, ssim = figure.axes
    assert [(axes.get_title(), axes.get_xlabel()) for axes in (kid, ssim)] == [("kid", "epoch"), ("ssim", "epoch")]
    assert [line.get_xydata().tolist() for line in kid.lines] == [[[1, 0.5], [3, 0.25]], [[2, 1]]]
    assert [line.get_label() for line in kid.lines] == ["vae", "gan"]
    assert [line.get_label() for line in ssim.lines] == ["vae"]
    assert kid.lines[0].get_color() == ssim.lines[0].get_color()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.contact_sheet(flat(*range(23)), title="many"),
        lambda: figures.labelled_rows({"original": flat(1), "a longer\nname": flat(2)}),
        lambda: figures.latent_map(np.zeros((3, 2)), flat(1, 2, 3)),
        lambda: figures.nearest_pairs(flat(1), flat(2), Nearest(np.zeros(1), np.zeros(1, dtype=int))),
        lambda: plots.scores({"vae": {"kid": Estimate(0.1, 0.0)}}),
        lambda: figures.kl_bars(np.zeros(128), np.zeros((2, 128))),
        lambda: figures.training_curves({"vae": {f"score {i}": [(1, i), (2, i)] for i in range(4)}}),
        lambda: figures.training_curves({"vae": {"never finite": [(1, float("inf"))]}}),
    ],
)
def test_every_figure_can_be_written(draw: Callable[[], Figure]) -> None:
    picture = io.BytesIO()
    draw().savefig(picture, format="png", dpi=20)  # a label that does not fit or a missing glyph would warn
    assert picture.getvalue().startswith(b"\x89PNG")
