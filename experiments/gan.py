"""GAN: a generative adversarial network of 75x75 cats, whose images are sharp.

    make train-gan                                  # 30,000 synthetic cats
    make train-gan CATS=mlruns/cats/cat-faces       # real ones, curated by make cats CATS=...
    make tune-gan                                   # both learning rates and latent size, for the quality of samples
    make generate MODEL=cats-gan N=64 OUT=cats.png

The measured scores and times are in docs/cats.md.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from library.cats.config import GanConfig, ImagesConfig, VaeConfig
from library.cats.experiment import MAX_FIT_IMAGES, CatsExperiment, train
from library.framework.config import ScheduleConfig
from library.framework.environment import command
from library.framework.experiment import PredictRequest, TestResult
from library.framework.run import Run

if TYPE_CHECKING:
    from library.cats.models import gan
    from library.cats.models.samplers import LatentSampler


class Gan(CatsExperiment):
    """How good samples can be without a likelihood; versions are compared by coverage of the test images."""

    Config = GanConfig
    objectives = {"val/kid_{features}": "minimize"}
    trial_overrides = {"epochs": 8, "pretraining": 2}
    prune_after = 4  # a GAN's scores fluctuate between epochs; a bad epoch is no bad trial
    model_name = "cats-gan"
    config: GanConfig

    def build(self) -> "gan.Gan":
        """The compiled networks; the generator is first trained as a VAE's decoder.

        That replaces the longest part of its training, and it starts from all modes of the data (Ham et al. 2020,
        Unbalanced GANs: Pre-training the Generator of Generative Adversarial Network using VAE). Its noise takes the
        place of the VAE's codes, whose distribution is closer to a fitted Gaussian than to the prior.
        """
        from library.cats.models import autoencoders, gan, samplers

        model = gan.build(self.config, self.extractor)
        if self.config.pretraining:
            # The images and the network are the GAN's; the schedule is an autoencoder's default.
            common = set(ImagesConfig.model_fields) - set(ScheduleConfig.model_fields) | {"seed"}
            config = VaeConfig(**self.config.model_dump(include=common), epochs=self.config.pretraining)
            build = partial(autoencoders.build, config, self.extractor)
            vae = train(config, self.data, build, "val/mean_squared_error", Run()).model
            codes = autoencoders.posterior_samples(vae, self.data.train[:MAX_FIT_IMAGES], self.config.seed)
            model.load_generator_weights(vae.decoder.get_weights(), samplers.fit_mixture(codes, 1, self.config.seed))
        return model

    def samplers(self, model: "gan.Gan") -> "dict[str, LatentSampler]":
        """The prior, and truncated priors, whose samples look better but vary less (Brock et al. 2019, section 3.1)."""
        from library.cats.models.samplers import normal

        truncated = {f"truncated-{bound:g}": normal(self.config.latent_size, bound=bound) for bound in (1.5, 1.0, 0.5)}
        return {"prior": normal(self.config.latent_size), **truncated}

    def test(self, model: "gan.Gan", run: Run) -> TestResult:
        from library.cats import figures
        from library.cats.metrics.latent_space import spherical
        from library.cats.metrics.sample_quality import score_name
        from library.cats.models.generative import decode

        ends = np.random.default_rng(0).standard_normal((3, 2, self.config.latent_size))
        rows = {
            f"spherical {pair}": decode(model.decoder, spherical(start, end, 10).astype(np.float32))
            for pair, (start, end) in enumerate(ends, start=1)
        }
        run.log_figure("interpolations", figures.labelled_rows(rows))
        samples = self.evaluate_samplers(model, run)
        return TestResult(
            samples.metrics, self.per_image(samples.covered), score_name("coverage", self.config.features)
        )

    def parse_query(self, query: str, out: str = "", seed: int = 0) -> PredictRequest:
        """Refuses: a GAN has no encoder."""
        draw = command("generate", values={"model": self.model_name, "out": "cats.png"})
        raise ValueError(f"query: a GAN draws cats and reconstructs none; give {draw}")
