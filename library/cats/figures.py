"""Figures of images, of the latent vectors they come from, and of models side by side.

Pure functions of arrays, like `figures`; images are `[images, height, width, 3]`, RGB, 0 to 255.
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

# Inches: of an image in a row or a grid, and of a figure that is as wide as a page.
IMAGE, PAGE = 0.75, 10.0


def contact_sheet(images: np.ndarray, columns: int = 10, title: str = "") -> Figure:
    """Images in a grid, row by row.

    Args:
        images: at least one, of one size.
        columns: images in a row.
        title: above the grid.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(IMAGE * columns, IMAGE * rows + (0.4 if title else 0)), layout="constrained")
    _show(figure.subplots(), tiled(images, columns))
    figure.suptitle(title, fontsize=11)
    return figure


def labelled_rows(rows: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """Images side by side, one row of them for each name: originals above their reconstructions, interpolations.

    Args:
        rows: by name, as many images in each; at least one.
        title: above the rows.
    """
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
    """Images where their codes lie on a plane; where several would overlap, the one that is nearest to the place.

    Args:
        coordinates: `[images, 2]`, as of `latents.pca_map` or `latents.tsne_map`; dots mark all of them.
        images: as many.
        title: above the map.
        across: images that fit side by side.
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
    """Samples above the training images nearest to them, with the distance between: the nearest pairs first.

    Args:
        samples: generated images.
        train: training images.
        found: of each sample the nearest training image.
        count: how many pairs to show at most.
    """
    shown = np.argsort(found.distances, kind="stable")[:count]
    figure = labelled_rows({"sample": samples[shown], "nearest in\ntraining": train[found.indices[shown]]})
    width = samples.shape[2]
    places = width * (np.arange(len(shown)) + 0.5) - 0.5
    figure.axes[1].set_xticks(places, [f"{distance:.3g}" for distance in found.distances[shown]])
    figure.axes[1].tick_params(length=0)
    figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + 0.4)
    return figure


def sample_scores(rows: Mapping[str, Mapping[str, float]], network: str) -> Figure:
    """The scores of samples by several strategies or models; of KID its standard error too.

    Args:
        rows: by name, scores as `samples.evaluate` names them, without split and network.
        network: the feature network that they were taken in.
    """
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
    """What each latent dimension says of an image, the most talkative first; those that are not in use are grey.

    Args:
        divergences: as `latents.kl_per_dimension` gives them, `[dimensions]`, in nats.
        means: of each image's posterior, `[images, dimensions]`.
    """
    order = np.argsort(-divergences, kind="stable")
    active = means.var(axis=0)[order] > ACTIVE
    figure = Figure(figsize=(PAGE, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(order)), divergences[order], width=1, color=np.where(active, "tab:blue", "0.7"))
    axes.set(xlabel="latent dimension, in order of its divergence", ylabel="divergence from the prior [nats]")
    axes.set_title(f"{active.sum()} of {len(order)} dimensions are in use; {divergences.sum():.1f} nats in all")
    return figure


def training_curves(curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], x: str = "minutes") -> Figure:
    """How scores of several models grew: one square for each score, one line for each model that has it.

    Args:
        curves: by model, then by score: its course as pairs of place and value; what is not finite is left out.
        x: what the places are.
    """
    names = list(dict.fromkeys(name for model in curves.values() for name in model))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.5 * columns, 3.4 * rows), layout="constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for colour, (model, courses) in enumerate(curves.items()):
            if name in courses:
                points = np.array(courses[name], dtype=float).reshape(-1, 2)
                finite = points[np.isfinite(points).all(axis=1)]
                axes.plot(*finite.T, label=model, color=f"C{colour % 10}")
        axes.set(title=name, xlabel=x)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def tiled(images: np.ndarray, columns: int) -> np.ndarray:
    """One image of all, row by row; what is left of the last row is white."""
    missing = -len(images) % columns
    padded = np.concatenate([images, np.full((missing, *images.shape[1:]), 255, dtype=images.dtype)])
    rows = padded.reshape(-1, columns, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])


def _show(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
