"""VAE: a variational autoencoder of 75x75 cats, with a latent space to sample from.

    make train-vae                                  # 30,000 drawn cats
    make train-vae CATS=mlruns/cats/cat-faces       # real ones, which make cats CATS=... made a set of
    make predict-vae QUERY=cat.png OUT=again.png     # a picture as the model reproduces it
    make tune-vae                                   # latent size, beta and rate, for the quality of samples
    make generate MODEL=vae N=64 OUT=cats.png STRATEGY=mixture

The measured scores and times are in docs/cats.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from library.cats import experiment as generation
from library.cats.config import VaeConfig
from library.cats.data import dataset
from library.framework.experiment import Experiment, Package, Result, Scores
from library.framework.run import Callbacks, Run

if TYPE_CHECKING:
    from library.cats.models.autoencoders import Vae
    from library.cats.models.samplers import Strategy


class Config(VaeConfig):
    """Which images, which network, and how to train it."""


def train(config: Config, run: Run, callbacks: Callbacks) -> Result:
    """Trains on the bound; the best epoch is that of the best samples."""
    from library.cats.models import autoencoders

    return generation.train(config, autoencoders.build, f"val/kid_{config.features}", run, callbacks)


def strategies(config: Config, model: "Vae") -> "dict[str, Strategy]":
    """The prior, and cooler; and what fits the aggregate posterior better, from which training images are drawn."""
    from library.cats.models import samplers
    from library.cats.models.autoencoders import posterior

    means, log_variances = posterior(model, dataset.load(config).train[: generation.FITTED])
    noise = np.random.default_rng(config.seed).standard_normal(means.shape)
    drawn = means + np.exp(log_variances / 2) * noise
    return {
        "prior": samplers.normal(config.latent_size),
        "prior-0.8": samplers.normal(config.latent_size, 0.8),
        "prior-0.6": samplers.normal(config.latent_size, 0.6),
        **samplers.fitted_afterwards(drawn, config.seed),
    }


def test(config: Config, model: "Vae", run: Run) -> Scores:
    """Reproduces every test image, looks into the latent space, and draws; versions are compared by coverage."""
    from library.cats.metrics import reconstruction
    from library.cats.models.autoencoders import posterior, reproduce

    data = dataset.load(config)
    again = reproduce(model, data.test)
    means, log_variances = posterior(model, data.test)
    own = {**_latent_scores(means, log_variances), **_factor_scores(model, data, means, run)}
    _show(model, data.test, again, means, log_variances, run)
    judged = generation.judge(config, model, strategies)
    samples = generation.test_samples(config, judged, run)
    scores = {**reconstruction.evaluate(data.test, again), **own, **samples}
    return Scores(scores, generation.outcomes(config, judged.covered))


def _latent_scores(means: np.ndarray, log_variances: np.ndarray) -> dict[str, float]:
    """How much of the latent space is in use, and how far the aggregate posterior is from the prior."""
    from library.cats.metrics import latent_space

    noise = np.random.default_rng(0).standard_normal((2, *means.shape))
    mismatch = latent_space.prior_mismatch(means + np.exp(log_variances / 2) * noise[0], noise[1])
    return {
        "test/active_units": float(latent_space.active_units(means)),
        "test/divergence": float(latent_space.kl_per_dimension(means, log_variances).sum()),
        "test/prior_mismatch": mismatch.value,
        "test/prior_mismatch_standard_error": mismatch.standard_error,
    }


def _factor_scores(model: "Vae", data: dataset.Cats, means: np.ndarray, run: Run) -> dict[str, float]:
    """Disentanglement, and cats with one attribute changed; nothing of images whose factors nobody knows."""
    from library.cats import figures
    from library.cats.models.autoencoders import posterior

    if not data.factors:
        return {}
    codes, _ = posterior(model, data.train[:2000])
    known = {name: values for name, values in data.factors.items() if name != "grain"}  # which has no order
    run.log_figure("attributes", figures.labelled_rows(_attributes(model, codes, means[0], known)))
    return _disentangled(codes, means, known)


def _show(
    model: "Vae", test: np.ndarray, again: np.ndarray, means: np.ndarray, log_variances: np.ndarray, run: Run
) -> None:
    """Reports the figures of reconstructions and of the latent space."""
    from library.cats import figures
    from library.cats.metrics import latent_space

    divergences = latent_space.kl_per_dimension(means, log_variances)
    run.log_figure("reconstructions", figures.labelled_rows({"original": test[:12], "VAE": again[:12]}))
    run.log_figure("divergences", figures.kl_bars(divergences, means))
    if means.shape[1] > 1:
        run.log_figure("latent-map", figures.latent_map(latent_space.pca_map(means), test, "PCA"))
        some = means[:1000]
        near = latent_space.tsne_map(some, perplexity=min(30, len(some) / 4))
        run.log_figure("latent-map-tsne", figures.latent_map(near, test[: len(some)], "t-SNE"))
    run.log_figure("interpolations", figures.labelled_rows(_interpolations(model, means)))
    order = np.argsort(-divergences)[:8]
    run.log_figure("traversals", figures.labelled_rows(_traversals(model, means[0], order)))


def _interpolations(model: "Vae", means: np.ndarray) -> dict[str, np.ndarray]:
    """Three ways between two test images, each straight and along the sphere, in ten steps."""
    from library.cats.metrics import latent_space
    from library.cats.models.generative import draw

    ways = {"linear": latent_space.linear, "spherical": latent_space.spherical}
    return {
        f"{name} {pair + 1}": draw(model.decoder, way(means[2 * pair], means[2 * pair + 1], 10).astype(np.float32))
        for pair in range(3)
        for name, way in ways.items()
    }


def _traversals(model: "Vae", code: np.ndarray, dimensions: np.ndarray) -> dict[str, np.ndarray]:
    """What each of some dimensions changes in one cat: from -3 to 3, in nine steps."""
    from library.cats.models.generative import draw

    rows = {}
    for dimension in dimensions:
        codes = np.tile(code, (9, 1)).astype(np.float32)
        codes[:, dimension] = np.linspace(-3, 3, 9)
        rows[f"dimension {dimension}"] = draw(model.decoder, codes)
    return rows


def _disentangled(codes: np.ndarray, test_codes: np.ndarray, factors: Mapping[str, np.ndarray]) -> dict[str, float]:
    """How far single dimensions stand for what the cats were drawn from; factors are of all images, in their order."""
    from library.cats.metrics import disentanglement

    learnt = {name: values[: len(codes)] for name, values in factors.items()}
    tested = {name: values[-len(test_codes) :] for name, values in factors.items()}
    scores = disentanglement.dci(codes, learnt, test_codes, tested)
    return {f"test/{name}": value for name, value in {**scores, "mig": disentanglement.mig(codes, learnt)}.items()}


def _attributes(
    model: "Vae", codes: np.ndarray, code: np.ndarray, factors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """One cat that loses or gains what sets apart cats above the median of a factor: -2 to 2 times, in nine steps."""
    from library.cats.metrics import latent_space
    from library.cats.models.generative import draw

    rows = {}
    for name in ("fur_lightness", "fluff", "ear_size", "eye_openness", "mouth", "yaw"):
        values = factors[name][: len(codes)]
        direction = latent_space.attribute(codes, values > np.median(values))
        steps = np.linspace(-2, 2, 9)[:, np.newaxis]
        rows[name.replace("_", " ")] = draw(model.decoder, (code + steps * direction).astype(np.float32))
    return rows


def package(config: Config, model: "Vae", folder: Path) -> Package:
    """Encoder, decoder and strategies."""
    return generation.package("vae", model, generation.judge(config, model, strategies), folder)


def model_name(_: Config) -> str:
    """One registered model."""
    return "cats-vae"


experiment = Experiment(
    config=Config,
    digest=generation.digest,
    train=train,
    test=test,
    package=package,
    model_name=model_name,
    ask=generation.ask,
    objectives={"val/kid_{features}": "minimize"},
    trial={"epochs": 3},
    prune_after=1,
)
