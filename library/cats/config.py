"""Every field of the experiments with cats, its bounds, default and meaning."""

from typing import Literal

from pydantic import Field

from library.framework.config import Config, ScheduleConfig, TrainingConfig

Network = Literal["random-vgg16-quarter", "inception-v3"]


class CatsConfig(Config):
    """Which images of cats to learn from."""

    cats: str = Field("drawn", min_length=1, description="drawn, or a folder that `make cats` wrote")
    images: int = Field(30_000, ge=60, le=1_000_000, description="at most so many of them, in all three parts together")


class ImagesConfig(CatsConfig, ScheduleConfig):
    """What networks of images have in common, and how their samples are judged."""

    epochs: int = Field(30, ge=1, le=100_000, description="how often validation is scored, at equal distances")
    steps_per_epoch: int = Field(280, ge=1, le=100_000, description="batches in an epoch, whatever the data's size")
    latent_size: int = Field(128, ge=1, le=4096, description="numbers that an image is drawn from")
    filters: str = Field(
        "32-64-128",
        pattern=r"^[1-9]\d{0,3}(-[1-9]\d{0,3}){2,3}$",
        description="of the convolutions at 38x38, 19x19, 10x10 and, if there are four, 5x5 pixels",
    )
    residuals: int = Field(0, ge=0, le=16, description="residual blocks at 10x10 pixels, on the way down and up")
    activation: Literal["silu", "relu"] = Field("silu", description="after each convolution")
    mirror: bool = Field(True, description="show every other image mirrored while training")
    features: Network = Field(
        "random-vgg16-quarter", description="network in whose features samples are compared with real images"
    )
    validation_samples: int = Field(
        500, ge=10, le=100_000, description="images drawn after each epoch, from the same noise, to be scored"
    )
    test_samples: int = Field(2000, ge=10, le=100_000, description="images drawn of each strategy for the final scores")


class AutoencoderConfig(ImagesConfig, TrainingConfig):
    """A convolutional autoencoder and its training."""

    epochs: int = Field(8, ge=1, le=100_000, description="how often validation is scored, at equal distances")
    weight_decay: float = Field(0.01, ge=0, le=10, description="decoupled decay of AdamW, on all but the biases")


class VaeConfig(AutoencoderConfig):
    """A variational autoencoder and its training."""

    beta: float = Field(1.0, ge=0, le=1000, description="weight of the posterior's divergence from the prior")
    beta_warmup: float = Field(0.2, ge=0, lt=1, description="share of all steps in which that weight grows from 0")
    likelihood: Literal["calibrated", "unit"] = Field(
        "calibrated", description="Gaussian: of the variance that fits best at each step, or of variance 1/2"
    )


class GanConfig(ImagesConfig):
    """A generative adversarial network and its training."""

    pretraining: int = Field(
        4, ge=0, le=100_000, description="epochs in which the generator first learns to draw as a VAE's decoder"
    )
    batch_size: int = Field(32, ge=1, le=65_536, description="examples in a batch")
    steps_per_epoch: int = Field(200, ge=1, le=100_000, description="batches in an epoch, whatever the data's size")
    epochs: int = Field(15, ge=1, le=100_000, description="how often validation is scored, at equal distances")
    learning_rate: float = Field(2e-4, gt=0, le=1, description="of the generator")
    schedule: Literal["cosine", "constant"] = Field(
        "constant", description="of the learning rates after the warm-up: down to 0, or kept"
    )
    discriminator_ratio: float = Field(2.0, gt=0, le=1000, description="the discriminator's learning rate over it")
    discriminator_filters: str = Field(
        "24-48-96-192",
        pattern=r"^[1-9]\d{0,3}(-[1-9]\d{0,3}){2,3}$",
        description="of the discriminator's convolutions; those of the generator are in filters",
    )
    hidden: int = Field(256, ge=0, le=4096, description="units of the discriminator's last layer but one; 0 has none")
    loss: Literal["relativistic", "plain"] = Field(
        "relativistic", description="plain: real against drawn, each by itself (non-saturating)"
    )
    augment: bool = Field(
        True, description="change colours and place of all images, real and drawn, before they are judged"
    )
    penalty: float = Field(
        0.1, ge=0, le=10_000, description="weight of how much the discriminator's verdict changes with small noise (R1)"
    )
    averaging: float = Field(0.995, ge=0, lt=1, description="of the generator's weights, per step; 0: as they are")
