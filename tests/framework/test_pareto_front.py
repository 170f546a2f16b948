"""The figure of a Pareto front."""

from library.framework.plots import pareto_front

VALUES = {"error": [0.4, 0.1, 0.3, 0.2], "size": [2.0, 512.0, 64.0, 32.0], "seconds": [1.0, 2.0, 0.0, 1.5]}


def test_two_objectives_are_one_square_with_a_line_along_the_front() -> None:
    figure = pareto_front({name: VALUES[name] for name in ("error", "size")}, {0: "7", 3: "10", 1: "8"}, chosen=3)
    [axes] = figure.axes
    points, front, ring = axes.lines
    assert list(points.get_xdata()) == VALUES["error"]
    assert list(zip(*front.get_data(), strict=True)) == [(0.1, 512), (0.2, 32), (0.4, 2)]
    assert (front.get_linestyle(), ring.get_xydata().tolist()) == ("-", [[0.2, 32.0]])
    assert {text.get_text(): text.xy for text in axes.texts} == {"7": (0.4, 2), "10": (0.2, 32), "8": (0.1, 512)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("error", "size")
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")


def test_three_objectives_are_three_squares_without_a_line() -> None:
    figure = pareto_front(VALUES, {0: "0", 1: "1", 2: "2", 3: "3"})
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert labels == [("error", "size"), ("error", "seconds"), ("size", "seconds")]
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2]
    assert {axes.lines[1].get_linestyle() for axes in figure.axes} == {"None"}
    assert figure.axes[1].get_yscale() == "linear", "0 has no place on a logarithmic axis"
    figure.canvas.draw()
