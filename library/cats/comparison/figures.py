"""The figures of the comparison: each shows the same cats, or decodes the same noise, for every model."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from library.cats import figures
from library.cats.comparison.registered import SEED, Model, ModelSamples
from library.cats.data.dataset import Cats
from library.cats.metrics.latent_space import INTERPOLATIONS
from library.cats.metrics.sample_quality import score_name
from library.framework.tracking.queries import metric_over_time

ACROSS = 8  # images in a row
SAMPLE_SCORES = ("kid", "frechet_distance", "precision", "recall", "coverage")


def all_of(models: Sequence[Model], samples: Sequence[ModelSamples], data: Cats, network: str) -> Mapping[str, Figure]:
    """All figures by name, in the order of the page."""
    return {
        "reconstructions": reconstructions(models, data.test),
        "samples": best_samples(samples),
        "strategies": all_samples(samples),
        "scores": figures.sample_scores({f"{one.model.name} {one.sampler}": one.scores for one in samples}, network),
        "interpolations": interpolations(models, data.test),
        "interpolations-of-samples": interpolations_of_samples(models),
        "nearest-neighbours": nearest_neighbors(samples, data.train),
        "training-curves": training_curves(models),
    }


def reconstructions(models: Sequence[Model], test: np.ndarray) -> Figure:
    """Test images above their reconstructions by each model with an encoder."""
    images = test[:ACROSS]
    rows = {model.name: model.reconstruct(images) for model in models if model.has_encoder}
    return figures.labelled_rows({"original": images, **rows})


def best_samples(samples: Sequence[ModelSamples]) -> Figure:
    """Two rows of samples by each model's best sampler."""
    rows: dict[str, np.ndarray] = {}
    for one in samples:
        if one.is_best:
            first, second = np.array_split(one.images[: 2 * ACROSS], 2)
            rows |= {f"{one.model.name}\n{one.sampler}": first, f"{one.model.name},\nmore": second}
    return figures.labelled_rows(rows)


def all_samples(samples: Sequence[ModelSamples]) -> Figure:
    """A row of samples by each sampler of each model, with two scores."""
    rows = {}
    for one in samples:
        kid = f"KID {one.scores['kid']:.3f} ± {one.scores['kid_standard_error']:.3f}"
        label = f"{one.model.name} {one.sampler}\n{kid}\ncoverage {one.scores['coverage']:.2f}"
        rows[label] = one.images[:ACROSS]
    return figures.labelled_rows(rows)


def interpolations(models: Sequence[Model], test: np.ndarray) -> Figure:
    """Interpolations between the latent vectors of two real cats, which are shown at both ends."""
    rows = {}
    for pair in range(2):
        start, end = test[2 * pair : 2 * pair + 2]
        for model in models:
            if model.has_encoder:
                first, last = model.encode(np.stack([start, end]))
                for name, interpolate in INTERPOLATIONS.items():
                    between = model.decode(interpolate(first, last, ACROSS - 2))
                    rows[f"{model.name} {name} {pair + 1}"] = np.concatenate([[start], between, [end]])
    return figures.labelled_rows(rows)


def interpolations_of_samples(models: Sequence[Model]) -> Figure:
    """Interpolations between two random latent vectors of each model without an encoder."""
    rows = {}
    for model in models:
        ends = np.random.default_rng(SEED).standard_normal((2, 2, model.python_model.latent_size))
        for pair, (start, end) in enumerate(() if model.has_encoder else ends, start=1):
            for name, interpolate in INTERPOLATIONS.items():
                rows[f"{model.name} {name} {pair}"] = model.decode(interpolate(start, end, ACROSS))
    return figures.labelled_rows(rows)


def nearest_neighbors(samples: Sequence[ModelSamples], train: np.ndarray) -> Figure:
    """The samples by each model's best sampler that are closest to a training image, above that image."""
    rows = {}
    for one in samples:
        if one.is_best:
            first = np.argsort(one.nearest.distances, kind="stable")[:ACROSS]
            rows[f"{one.model.name}\nsample"] = one.images[first]
            rows[f"nearest to\n{one.model.name}'s"] = train[one.nearest.indices[first]]
    return figures.labelled_rows(rows)


def training_curves(models: Sequence[Model]) -> Figure:
    """The validation scores during each model's training, in the features of the network that it was trained with."""
    curves = {}
    for model in models:
        network = model.run.params["features"]
        names = {score.replace("_", " "): score_name(score, network, "val") for score in SAMPLE_SCORES}
        names = {"mean squared error": "val/mean_squared_error", **names}
        histories = {score: metric_over_time(model.run.id, metric) for score, metric in names.items()}
        curves[model.name] = {score: history for score, history in histories.items() if history}
    figure = figures.training_curves(curves)
    for axes in figure.axes:
        if axes.get_title() in ("mean squared error", "kid", "frechet distance"):  # fall by several powers of ten
            axes.set_yscale("log", nonpositive="mask")  # a good model's kernel distance may be negative
    return figure
