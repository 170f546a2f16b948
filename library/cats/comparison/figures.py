"""The figures of the comparison, by name: each shows the same cats, or the same noise, as every model has it."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from library.cats import figures
from library.cats.comparison.registered import SEED, Model
from library.cats.comparison.samples import Drawing
from library.cats.metrics import latent_space
from library.cats.metrics.sample_quality import score_name
from library.framework.tracking import queries

ACROSS = 8  # images in a row
WAYS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "linear": latent_space.linear,
    "spherical": latent_space.spherical,
}
OF_PIXELS = "mean_squared_error"
OF_SAMPLES = ("kid", "frechet_distance", "precision", "recall", "coverage")
FALLING = ("mean squared error", "kid", "frechet distance")  # over several powers of ten


def reconstructions(models: Sequence[Model], test: np.ndarray) -> Figure:
    """Test images, and below each how every model that has an encoder reproduces it."""
    shown = test[:ACROSS]
    rows = {model.name: model.reconstruct(shown) for model in models if model.reads}
    return figures.labelled_rows({"original": shown, **rows})


def drawn(drawings: Sequence[Drawing]) -> Figure:
    """Two rows of samples of each model, by its best strategy."""
    rows: dict[str, np.ndarray] = {}
    for one in drawings:
        if one.is_best:
            first, second = np.array_split(one.images[: 2 * ACROSS], 2)
            rows |= {f"{one.model.name}\n{one.strategy}": first, f"{one.model.name},\nmore": second}
    return figures.labelled_rows(rows)


def strategies(drawings: Sequence[Drawing]) -> Figure:
    """A row of samples of each model by each strategy, with its scores."""
    return figures.labelled_rows({_scored(one): one.images[:ACROSS] for one in drawings})


def _scored(one: Drawing) -> str:
    kid = f"KID {one.scores['kid']:.3f} ± {one.scores['kid_standard_error']:.3f}"
    return f"{one.model.name} {one.strategy}\n{kid}\ncoverage {one.scores['coverage']:.2f}"


def scores(drawings: Sequence[Drawing], network: str) -> Figure:
    """The same scores, and more of them, as dots with their errors."""
    return figures.sample_scores({f"{one.model.name} {one.strategy}": one.scores for one in drawings}, network)


def interpolations(models: Sequence[Model], test: np.ndarray) -> Figure:
    """Ways between the latent vectors of two real cats, which stand at both ends as they are."""
    rows = {}
    for pair in range(2):
        start, end = test[2 * pair : 2 * pair + 2]
        for model in models:
            if not model.reads:
                continue
            first, last = model.encode(np.stack([start, end]))
            for name, way in WAYS.items():
                between = model.decode(way(first, last, ACROSS - 2))
                rows[f"{model.name} {name} {pair + 1}"] = np.concatenate([[start], between, [end]])
    return figures.labelled_rows(rows)


def interpolations_of_samples(models: Sequence[Model]) -> Figure:
    """Ways between two random latent vectors of each model that has no encoder."""
    rows = {}
    for model in models:
        ends = np.random.default_rng(SEED).standard_normal((2, 2, model.latent_size))
        for pair, (start, end) in enumerate(() if model.reads else ends, start=1):
            for name, way in WAYS.items():
                rows[f"{model.name} {name} {pair}"] = model.decode(way(start, end, ACROSS))
    return figures.labelled_rows(rows)


def nearest_neighbours(drawings: Sequence[Drawing], train: np.ndarray) -> Figure:
    """Of each model's best strategy those samples that are nearest to a training image, above that image."""
    rows = {}
    for one in drawings:
        if one.is_best:
            first = np.argsort(one.nearest.distances, kind="stable")[:ACROSS]
            rows[f"{one.model.name}\nsample"] = one.images[first]
            rows[f"nearest to\n{one.model.name}'s"] = train[one.nearest.indices[first]]
    return figures.labelled_rows(rows)


def training_curves(models: Sequence[Model]) -> Figure:
    """How the validation scores went while each model was trained, by the network that it was trained with."""
    curves = {}
    for model in models:
        network = model.params["features"]
        named = {OF_PIXELS: f"val/{OF_PIXELS}", **{score: score_name(score, network, "val") for score in OF_SAMPLES}}
        courses = {score: queries.course_of(model.run, metric) for score, metric in named.items()}
        curves[model.name] = {score.replace("_", " "): course for score, course in courses.items() if course}
    figure = figures.training_curves(curves)
    for axes in figure.axes:
        if axes.get_title() in FALLING:
            axes.set_yscale("log", nonpositive="mask")  # as a good model's kernel distance may be
    return figure
