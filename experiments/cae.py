"""CAE: a convolutional autoencoder of 75x75 cats, the baseline that VAE and GAN are compared with.

    make train-cae                                  # 30,000 drawn cats
    make train-cae CATS=mlruns/cats/cat-faces       # real ones, which make cats CATS=... made a set of
    make predict-cae QUERY=cat.png OUT=again.png     # a picture as the model reproduces it
    make tune-cae                                   # latent size against error: a Pareto front
    make generate MODEL=cae N=64 OUT=cats.png       # once a mixture is fitted to its codes, it draws too

The measured scores and times are in docs/cats.md.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from library.cats import experiment as generation
from library.cats.config import AutoencoderConfig
from library.cats.data import dataset
from library.framework.experiment import Experiment, Package, Result, Scores
from library.framework.run import Callbacks, Run

if TYPE_CHECKING:
    from library.cats.models.autoencoders import Cae
    from library.cats.models.samplers import Strategy


class Config(AutoencoderConfig):
    """Which images, which network, and how to train it."""


def train(config: Config, run: Run, callbacks: Callbacks) -> Result:
    """Trains to reproduce images; the best epoch has the least error on validation images."""
    from library.cats.models import autoencoders

    return generation.train(config, autoencoders.build, "val/mean_squared_error", run, callbacks)


def strategies(config: Config, model: "Cae") -> "dict[str, Strategy]":
    """An autoencoder has no prior: what is like its codes must be fitted to them."""
    from library.cats.models import samplers
    from library.cats.models.autoencoders import encode

    codes = encode(model, dataset.load(config).train[: generation.FITTED])
    return {"prior": samplers.normal(config.latent_size), **samplers.fitted_afterwards(codes, config.seed)}


def test(config: Config, model: "Cae", run: Run) -> Scores:
    """Reproduces every test image and draws new ones; versions are compared by how well they reproduce."""
    from library.cats import figures
    from library.cats.metrics import latent_space, reconstruction
    from library.cats.models.autoencoders import encode, reproduce

    images = dataset.load(config).test
    again = reproduce(model, images)
    run.log_figure("reconstructions", figures.labelled_rows({"original": images[:12], "CAE": again[:12]}))
    if config.latent_size > 1:
        run.log_figure("latent-map", figures.latent_map(latent_space.pca_map(encode(model, images)), images, "PCA"))
    samples = generation.test_samples(config, generation.judge(config, model, strategies), run)
    errors = reconstruction.mean_squared_errors(images, again)
    return Scores({**reconstruction.evaluate(images, again), **samples}, generation.outcomes(config, -errors))


def package(config: Config, model: "Cae", folder: Path) -> Package:
    """Encoder, decoder and strategies."""
    return generation.package("cae", model, generation.judge(config, model, strategies), folder)


def model_name(_: Config) -> str:
    """One registered model."""
    return "cats-cae"


experiment = Experiment(
    config=Config,
    digest=generation.digest,
    train=train,
    test=test,
    package=package,
    model_name=model_name,
    ask=generation.ask,
    objectives={"val/mean_squared_error": "minimize", "model/latent_size": "minimize"},
    trial={"epochs": 3},
)
