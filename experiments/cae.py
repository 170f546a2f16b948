"""CAE: a convolutional autoencoder of 75x75 cats, the baseline for VAE and GAN.

    make train-cae                                  # 30,000 synthetic cats
    make train-cae CATS=mlruns/cats/cat-faces       # real ones, curated by make cats CATS=...
    make predict-cae QUERY=cat.png OUT=again.png    # an image as the model reconstructs it
    make tune-cae                                   # latent size against error: a Pareto front
    make generate MODEL=cats-cae N=64 OUT=cats.png  # from the density that is fitted to its codes

The measured scores and times are in docs/cats.md.
"""

from typing import TYPE_CHECKING

from library.cats.config import AutoencoderConfig
from library.cats.experiment import MAX_FIT_IMAGES, CatsExperiment
from library.framework.experiment import TestResult
from library.framework.run import Run

if TYPE_CHECKING:
    from library.cats.models import autoencoders
    from library.cats.models.samplers import LatentSampler


class Cae(CatsExperiment):
    """How small a latent space can be for little error; versions are compared by their reconstructions."""

    Config = AutoencoderConfig
    objectives = {"val/mean_squared_error": "minimize", "model/latent_size": "minimize"}
    trial_overrides = {"epochs": 3}
    prune_after = 1  # of 3 epochs
    model_name = "cats-cae"
    config: AutoencoderConfig

    def build(self) -> "autoencoders.Cae":
        from library.cats.models import autoencoders

        return autoencoders.build(self.config, self.extractor)

    def samplers(self, model: "autoencoders.Cae") -> "dict[str, LatentSampler]":
        """An autoencoder has no prior that it was trained with; a density of its codes must be fitted afterwards."""
        from library.cats.models import autoencoders, samplers

        codes = autoencoders.encode(model, self.data.train[:MAX_FIT_IMAGES])
        fitted = samplers.fit_latent_density(codes, self.config.seed)
        return {"prior": samplers.normal(self.config.latent_size), **fitted}

    def test(self, model: "autoencoders.Cae", run: Run) -> TestResult:
        from library.cats import figures
        from library.cats.metrics import latent_space, reconstruction
        from library.cats.models import autoencoders

        images = self.data.test
        reconstructions = autoencoders.reconstruct(model, images)
        run.log_figure("reconstructions", figures.labelled_rows({"original": images[:12], "CAE": reconstructions[:12]}))
        if self.config.latent_size > 1:
            places = latent_space.pca_map(autoencoders.encode(model, images))
            run.log_figure("latent-map", figures.latent_map(places, images, "PCA"))
        samples = self.evaluate_samplers(model, run)
        metrics = {**reconstruction.evaluate(images, reconstructions), **samples.metrics}
        scores = self.per_image(-reconstruction.mean_squared_errors(images, reconstructions))
        return TestResult(metrics, scores, "test/mean_squared_error")
