"""Figures as pure functions of arrays; drawn on a figure of their own, so that no window or global state is needed."""

import numpy as np
from matplotlib.figure import Figure


def operand_errors(left: np.ndarray, right: np.ndarray, minus: np.ndarray, wrong: np.ndarray) -> Figure:
    """Where a model errs: one square of 100x100 operands for each operator.

    Args:
        left: left operands of the queries, 0 to 99.
        right: right operands.
        minus: whether the query subtracts.
        wrong: whether its answer is wrong.
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    for axes, subtracts, title in zip(figure.subplots(1, 2), (False, True), ("a + b", "a - b"), strict=True):
        asked = minus == subtracts
        axes.scatter(right[asked], left[asked], s=2, c="0.88", marker="s", label=f"{asked.sum():,} asked")
        bad = asked & wrong
        axes.scatter(right[bad], left[bad], s=14, c="tab:red", label=f"{bad.sum():,} wrong")
        axes.set(title=title, xlabel="b", ylabel="a", xlim=(-2, 101), ylim=(-2, 101), aspect="equal")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False)
    return figure
