"""GAN: a generative adversarial network of 75x75 cats, whose images are sharp.

    make train-gan                                  # 30,000 drawn cats
    make train-gan CATS=mlruns/cats/cat-faces       # real ones, which make cats CATS=... made a set of
    make tune-gan                                   # both learning rates and latent size, for the quality of samples
    make generate MODEL=gan N=64 OUT=cats.png

The measured scores and times are in docs/cats.md.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from library.cats import experiment as generation
from library.cats.config import GanConfig, ImagesConfig, VaeConfig
from library.framework.config import ScheduleConfig
from library.framework.experiment import Experiment, Package, Result, Scores
from library.framework.run import Callbacks, Run

if TYPE_CHECKING:
    from library.cats.models.gan import Gan
    from library.cats.models.samplers import Strategy


class Config(GanConfig):
    """Which images, which networks, and how to train them."""


def train(config: Config, run: Run, callbacks: Callbacks) -> Result:
    """Trains generator and discriminator; the best epoch is that of the best samples, as no loss tells."""
    return generation.train(config, _build, f"val/kid_{config.features}", run, callbacks)


def _build(config: Config) -> "Gan":
    """The networks, compiled; the generator has first learnt to draw as a VAE's decoder.

    That saves it the longest part of the way, and it begins with all cats there are, not with one (Ham et al. 2020,
    Unbalanced GANs: Pre-training the Generator of Generative Adversarial Network using VAE).
    """
    from library.cats.models import autoencoders, gan

    model = gan.build(config)
    if config.pretraining:
        # All of its images and network; how long and how fast to learn are an autoencoder's own.
        common = set(ImagesConfig.model_fields) - set(ScheduleConfig.model_fields) | {"seed"}
        first = VaeConfig(**config.model_dump(include=common), epochs=config.pretraining)
        vae = generation.train(first, autoencoders.build, "val/mean_squared_error", Run(), ()).model
        model.begin_with(vae.decoder.get_weights())
    return model


def strategies(config: Config, _: "Gan") -> "dict[str, Strategy]":
    """The noise it was trained with, and without its tails (Brock et al. 2019, section 3.1): truer, but less varied."""
    from library.cats.models import samplers

    size = config.latent_size
    return {
        "prior": samplers.normal(size),
        "truncated-1.5": samplers.normal(size, bound=1.5),
        "truncated-1": samplers.normal(size, bound=1.0),
        "truncated-0.5": samplers.normal(size, bound=0.5),
    }


def test(config: Config, model: "Gan", run: Run) -> Scores:
    """Draws, and interpolates between two samples; versions are compared by which test images their samples reach."""
    from library.cats import figures
    from library.cats.metrics import latent_space
    from library.cats.models.generative import draw

    ends = np.random.default_rng(0).standard_normal((3, 2, config.latent_size))
    between = {
        f"spherical {pair + 1}": draw(model.decoder, latent_space.spherical(start, end, 10).astype(np.float32))
        for pair, (start, end) in enumerate(ends)
    }
    run.log_figure("interpolations", figures.labelled_rows(between))
    judged = generation.judge(config, model, strategies)
    return Scores(generation.test_samples(config, judged, run), generation.outcomes(config, judged.covered))


def package(config: Config, model: "Gan", folder: Path) -> Package:
    """The averaged generator, and strategies."""
    return generation.package("gan", model, generation.judge(config, model, strategies), folder)


def model_name(_: Config) -> str:
    """One registered model."""
    return "cats-gan"


def ask(_: Config, __: str, ___: str) -> NoReturn:
    """It draws cats and reads none."""
    raise ValueError("query: a GAN draws cats and reads none; give make generate MODEL=gan N=64 OUT=cats.png")


experiment = Experiment(
    config=Config,
    digest=generation.digest,
    train=train,
    test=test,
    package=package,
    model_name=model_name,
    ask=ask,
    objectives={"val/kid_{features}": "minimize"},
    trial={"epochs": 8, "pretraining": 2},
    # A GAN's scores go up and down from one epoch to the next; a bad epoch is no bad trial.
    prune_after=4,
)
