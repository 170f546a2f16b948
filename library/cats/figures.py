"""Figures of images, of latent spaces, and of models side by side.

Pure functions of arrays, like `framework.plots`; images are `[images, height, width, 3]`, RGB, 0 to 255.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from library.cats.metrics.latent_space import ACTIVE
from library.cats.metrics.neighbors import Nearest
from library.framework.plots import scores
from library.framework.statistics import Estimate

IMAGE, PAGE = 0.75, 10.0  # widths in inches: of an image in a grid, and of a page


def contact_sheet(images: np.ndarray, columns: int = 10, title: str = "") -> Figure:
    """Images in a grid, row by row; at least one."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(IMAGE * columns, IMAGE * rows + (0.4 if title else 0)), layout="constrained")
    _show(figure.subplots(), tiled(images, columns))
    figure.suptitle(title, fontsize=11)
    return figure


def labelled_rows(rows: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """A row of images for each name, such as originals above their reconstructions; all rows have the same length."""
    count = len(next(iter(rows.values())))
    letters = max(len(line) for name in rows for line in name.split("\n"))
    size = (IMAGE * count + 0.3 + 0.09 * letters, (IMAGE + 0.05) * len(rows) + (0.4 if title else 0))
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.02, hspace=0))
    for axes, (name, images) in zip(figure.subplots(len(rows), 1, squeeze=False).flat, rows.items(), strict=True):
        _show(axes, tiled(images, count))
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title, fontsize=11)
    return figure


def latent_map(coordinates: np.ndarray, images: np.ndarray, title: str = "", across: int = 24) -> Figure:
    """Images at the places of their codes on a plane, on a grid; of several in a cell, the one nearest to its center.

    Takes coordinates `[images, 2]`, from `latent_space.pca_map` or `tsne_map`, which dots mark; draws `across` cells
    side by side.
    """
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    cell = max((high - low).max() / (across - 1), 1e-9)
    width, height = high - low + 2 * cell
    figure = Figure(figsize=(PAGE, 0.5 + PAGE * float(np.clip(height / width, 0.2, 2))), layout="constrained")
    axes = figure.subplots()
    axes.plot(*coordinates.T, ".", color="0.8", markersize=2, zorder=0)
    places = np.rint((coordinates - low) / cell)
    nearest_first = np.argsort(np.square((coordinates - low) / cell - places).sum(axis=1), kind="stable")
    _, first = np.unique(places[nearest_first], axis=0, return_index=True)
    for i in nearest_first[first]:
        x, y = low + places[i] * cell
        axes.imshow(images[i], extent=(x - cell / 2, x + cell / 2, y - cell / 2, y + cell / 2))
    axes.set(title=title, xticks=[], yticks=[], aspect="equal")
    axes.set(xlim=(low[0] - cell, high[0] + cell), ylim=(low[1] - cell, high[1] + cell))
    return figure


def nearest_pairs(samples: np.ndarray, train: np.ndarray, found: Nearest, count: int = 12) -> Figure:
    """Samples above their nearest training images, with the distances between them, in increasing order."""
    first = np.argsort(found.distances, kind="stable")[:count]
    figure = labelled_rows({"sample": samples[first], "nearest in\ntraining": train[found.indices[first]]})
    places = samples.shape[2] * (np.arange(len(first)) + 0.5) - 0.5
    figure.axes[1].set_xticks(places, [f"{distance:.3g}" for distance in found.distances[first]])
    figure.axes[1].tick_params(length=0)
    figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + 0.4)
    return figure


def sample_scores(rows: Mapping[str, Mapping[str, float]], network: str) -> Figure:
    """The scores of samplers or models by name, in the features of a network; KID with its standard error."""
    return scores(
        {
            name: {
                f"KID\n({network})": Estimate(row["kid"], row["kid_standard_error"]),
                **{key: Estimate(row[key], np.nan) for key in ("precision", "recall", "density", "coverage")},
            }
            for name, row in rows.items()
        }
    )


def kl_bars(divergences: np.ndarray, means: np.ndarray) -> Figure:
    """What `latent_space.kl_per_dimension` returns for the means, in decreasing order; inactive dimensions are grey."""
    order = np.argsort(-divergences, kind="stable")
    active = means.var(axis=0)[order] > ACTIVE
    figure = Figure(figsize=(PAGE, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(order)), divergences[order], width=1, color=np.where(active, "tab:blue", "0.7"))
    axes.set(xlabel="latent dimension, by decreasing divergence", ylabel="divergence from the prior [nats]")
    axes.set_title(f"{active.sum()} of {len(order)} dimensions are active; {divergences.sum():.1f} nats in all")
    return figure


def training_curves(curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], x: str = "minutes") -> Figure:
    """The history of several scores: a subplot for each score, a line for each model that has it.

    The curves are pairs of x and value by model, then by score; values that are not finite are left out.
    """
    names = list(dict.fromkeys(name for model in curves.values() for name in model))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.5 * columns, 3.4 * rows), layout="constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for color, (model, histories) in enumerate(curves.items()):
            points = np.array(histories.get(name, ()), dtype=float).reshape(-1, 2)
            if name in histories:
                axes.plot(*points[np.isfinite(points).all(axis=1)].T, label=model, color=f"C{color % 10}")
        axes.set(title=name, xlabel=x)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def tiled(images: np.ndarray, columns: int) -> np.ndarray:
    """One image of all, row by row; the rest of the last row is white."""
    missing = -len(images) % columns
    padded = np.concatenate([images, np.full((missing, *images.shape[1:]), 255, dtype=images.dtype)])
    rows = padded.reshape(-1, columns, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])


def _show(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
