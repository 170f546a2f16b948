"""VAE: a variational autoencoder of 75x75 cats, with a latent space to sample from.

    make train-vae                                  # 30,000 synthetic cats
    make train-vae CATS=mlruns/cats/cat-faces       # real ones, curated by make cats CATS=...
    make predict-vae QUERY=cat.png OUT=again.png    # an image as the model reconstructs it
    make tune-vae                                   # latent size, beta and rate, for the quality of samples
    make generate MODEL=cats-vae N=64 OUT=cats.png STRATEGY=mixture

The measured scores and times are in docs/cats.md.
"""

from typing import TYPE_CHECKING

import numpy as np

from library.cats.config import VaeConfig
from library.cats.experiment import MAX_FIT_IMAGES, CatsExperiment
from library.framework.experiment import TestResult
from library.framework.run import Run

if TYPE_CHECKING:
    from library.cats.models import autoencoders
    from library.cats.models.samplers import LatentSampler

ATTRIBUTES = ("fur_lightness", "fluff", "ear_size", "eye_openness", "mouth", "yaw")


class Vae(CatsExperiment):
    """How good samples can be that are decoded from a prior; versions are compared by coverage of the test images."""

    Config = VaeConfig
    objectives = {"val/kid_{features}": "minimize"}
    trial_overrides = {"epochs": 3}
    prune_after = 1
    model_name = "cats-vae"
    config: VaeConfig

    def build(self) -> "autoencoders.Cae":
        from library.cats.models import autoencoders

        return autoencoders.build(self.config, self.extractor)

    def samplers(self, model: "autoencoders.Vae") -> "dict[str, LatentSampler]":
        """The prior at three temperatures, and densities fitted to samples of the aggregate posterior."""
        from library.cats.models import autoencoders, samplers

        size, seed = self.config.latent_size, self.config.seed
        codes = autoencoders.posterior_samples(model, self.data.train[:MAX_FIT_IMAGES], seed)
        return {
            "prior": samplers.normal(size),
            "prior-0.8": samplers.normal(size, 0.8),
            "prior-0.6": samplers.normal(size, 0.6),
            **samplers.fit_latent_density(codes, seed),
        }

    def test(self, model: "autoencoders.Vae", run: Run) -> TestResult:
        from library.cats import figures
        from library.cats.metrics import latent_space, reconstruction
        from library.cats.metrics.sample_quality import score_name
        from library.cats.models import autoencoders

        images = self.data.test
        reconstructions = autoencoders.reconstruct(model, images)
        means, log_variances = autoencoders.posterior(model, images)
        divergences = latent_space.kl_per_dimension(means, log_variances)
        run.log_figure("reconstructions", figures.labelled_rows({"original": images[:12], "VAE": reconstructions[:12]}))
        run.log_figure("divergences", figures.kl_bars(divergences, means))
        if self.config.latent_size > 1:
            some = means[:1000]
            run.log_figure("latent-map", figures.latent_map(latent_space.pca_map(means), images, "PCA"))
            places = latent_space.tsne_map(some, perplexity=min(30, len(some) / 4))
            run.log_figure("latent-map-tsne", figures.latent_map(places, images[: len(some)], "t-SNE"))
        self.log_directions(model, means, divergences, run)
        factors = self.test_factors(model, means, run)
        samples = self.evaluate_samplers(model, run)
        errors, latents = reconstruction.evaluate(images, reconstructions), latent_space.evaluate(means, log_variances)
        metrics = {**errors, **latents, **factors, **samples.metrics}
        return TestResult(metrics, self.per_image(samples.covered), score_name("coverage", self.config.features))

    def log_directions(self, model: "autoencoders.Vae", means: np.ndarray, divergences: np.ndarray, run: Run) -> None:
        """Interpolations between three pairs of test images, and one cat along its eight most used dimensions."""
        from library.cats import figures
        from library.cats.metrics.latent_space import INTERPOLATIONS
        from library.cats.models.generative import decode

        interpolations = {}
        for pair, (start, end) in enumerate(zip(means[:6:2], means[1:6:2], strict=True), start=1):
            for name, interpolate in INTERPOLATIONS.items():
                codes = interpolate(start, end, 10).astype(np.float32)
                interpolations[f"{name} {pair}"] = decode(model.decoder, codes)
        run.log_figure("interpolations", figures.labelled_rows(interpolations))
        traversals = {}
        for dimension in np.argsort(-divergences)[:8]:
            codes = np.tile(means[0], (9, 1)).astype(np.float32)
            codes[:, dimension] = np.linspace(-3, 3, 9)
            traversals[f"dimension {dimension}"] = decode(model.decoder, codes)
        run.log_figure("traversals", figures.labelled_rows(traversals))

    def test_factors(self, model: "autoencoders.Vae", means: np.ndarray, run: Run) -> dict[str, float]:
        """Disentanglement, and one cat along the directions of some attributes; nothing if the factors are unknown."""
        from library.cats import figures
        from library.cats.metrics import disentanglement, latent_space
        from library.cats.models import autoencoders
        from library.cats.models.generative import decode

        data, steps = self.data, np.linspace(-2, 2, 9)[:, np.newaxis]
        if not data.factors:
            return {}
        codes, _ = autoencoders.posterior(model, data.train[:2000])
        rows = {}
        for name in ATTRIBUTES:
            values = data.factors[name][: len(codes)]
            direction = latent_space.attribute(codes, values > np.median(values))
            rows[name.replace("_", " ")] = decode(model.decoder, (means[0] + steps * direction).astype(np.float32))
        run.log_figure("attributes", figures.labelled_rows(rows))
        ordered = {name: values for name, values in data.factors.items() if name != "grain"}  # which has no order
        return disentanglement.evaluate(codes, means, ordered)
