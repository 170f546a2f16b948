"""Everything that can be set: the fields that data, networks and training bring to an experiment's config.

An experiment's own config inherits those it needs. Nothing heavy is imported here, so that `--help` and every
error about a value come at once.
"""

from typing import Literal, TypeVar

from pydantic import Field

from library.options import Network, Options

C = TypeVar("C", bound="Config")
Modality = Literal["text-to-text", "image-to-text", "text-to-image"]


class Config(Options):
    """All that a run depends on."""

    seed: int = Field(0, ge=0, lt=2**32, description="draws the weights and the order of the batches")


class ScheduleConfig(Config):
    """How long and how fast to train; the budget does not depend on the size of the training set."""

    epochs: int = Field(40, ge=1, le=100_000, description="how often validation is scored, at equal distances")
    steps_per_epoch: int = Field(200, ge=1, le=100_000, description="batches in an epoch, whatever the data's size")
    batch_size: int = Field(64, ge=1, le=65_536, description="examples in a batch")
    patience: int = Field(
        0, ge=0, description="epochs without a better validation score before stopping; 0 never stops"
    )
    learning_rate: float = Field(2e-3, gt=0, le=1, description="the peak, reached after the warm-up")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="of the learning rate after the warm-up: down to 0, or kept"
    )
    warmup: float = Field(0.05, ge=0, lt=1, description="share of all steps in which the rate grows from 0")
    minutes: float = Field(0, ge=0, le=1e6, description="stop after the epoch in which so many are over; 0 never stops")

    @property
    def steps(self) -> int:
        """Batches in the whole training."""
        return self.epochs * self.steps_per_epoch


class TrainingConfig(ScheduleConfig):
    """How to train with AdamW, as all do that have one loss."""

    weight_decay: float = Field(
        0.3, ge=0, le=10, description="decoupled decay of AdamW, on all but biases and what reads or draws images"
    )
    clip_norm: float = Field(1.0, gt=0, description="gradients of a larger norm are scaled down to it")


class ArithmeticConfig(Config):
    """Which of the queries of two-digit numbers to learn from, and how they are written."""

    operators: Literal["+-", "*"] = Field(
        "+-", description="what is asked: 20,000 sums and differences, or 10,000 products"
    )
    train_fraction: float = Field(
        0.5, gt=0, lt=1, description="share of the queries to learn from; the rest is the test"
    )
    validation_fraction: float = Field(0.05, gt=0, lt=1, description="share of the training part held out to choose by")
    split: Literal["random", "disjoint"] = Field(
        "random", description="disjoint: a+b and b+a (a-b and b-a) never fall on two sides"
    )
    split_seed: int = Field(0, ge=0, lt=2**32, description="draws the split; apart from seed, so that runs compare")
    padding: Literal["left", "right"] = Field(
        "left", description="left aligns digits of equal place (' 7-88'); right fills up at the end ('7-88 ')"
    )


class GlyphsConfig(Config):
    """What characters look like where they are images, and the size of what reads or draws one."""

    digits: str = Field(
        "scikit-learn",
        min_length=1,
        description="handwriting: scikit-learn (1,797 digits), mnist (downloaded) or an .npz file as Keras keeps MNIST",
    )
    vary: bool = Field(True, description="turn, scale, slant and shift the images that are read while training")
    filters: int = Field(
        16, ge=1, le=1024, description="of the convolution next to an image; the deeper ones have 2 and 4 times as many"
    )


class ReaderConfig(GlyphsConfig, TrainingConfig):
    """A classifier of characters and its training."""

    epochs: int = Field(20, ge=1, le=100_000, description="how often validation is scored, at equal distances")
    batch_size: int = Field(128, ge=1, le=65_536, description="images in a batch")
    weight_decay: float = Field(0.1, ge=0, le=10, description="decoupled decay of AdamW, on all but the biases")
    pooling: bool = Field(True, description="pool after convolutions; without, they stride, and the network is smaller")


class ExercisesConfig(ArithmeticConfig, GlyphsConfig):
    """Queries and answers as a network sees them."""

    modality: Modality = Field("text-to-text", description="what a query and an answer are made of")

    @property
    def reads_images(self) -> bool:
        """Whether a query is a sequence of images."""
        return self.modality.startswith("image-")

    @property
    def draws_images(self) -> bool:
        """Whether an answer is one."""
        return self.modality.endswith("-image")


class CatsConfig(Config):
    """Which images of cats to learn from."""

    cats: str = Field("drawn", min_length=1, description="drawn, or a folder that `make cats` wrote")
    images: int = Field(30_000, ge=60, le=1_000_000, description="at most so many of them, in all three parts together")


class Seq2SeqConfig(ExercisesConfig, TrainingConfig):
    """The LSTM encoder-decoder, its exercises and its training."""

    units: int = Field(128, ge=1, le=4096, description="width of every LSTM layer: the size of the latent code")
    encoder_depth: int = Field(1, ge=1, le=8, description="LSTM layers that read the query")
    decoder_depth: int = Field(1, ge=1, le=8, description="LSTM layers that write the answer")
    bidirectional: bool = Field(False, description="let the encoder read in both directions")
    embedding_size: int = Field(
        16,
        ge=0,
        le=4096,
        description="size of a character's vector, shared by input and output; 0: one-hot, not shared",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the latent code dropped while training")
    reading_order: Literal["as-written", "pairs"] = Field(
        "pairs", description="pairs: operator, ones of both operands, then tens; needs padding=left"
    )
    answer_order: Literal["as-written", "ones-first"] = Field(
        "ones-first", description="ones-first: the answer's last digit is written first, as carrying goes"
    )
    character_loss: float = Field(
        1.0,
        ge=0,
        le=100,
        description="weight of knowing which character each image is, against 1 of the answer; "
        "0: it learns to read from answers, or to draw from images, alone",
    )
    handwriting: Literal["varied", "mean"] = Field(
        "varied", description="of drawn answers: varied learns to write as people do, mean draws the average of all"
    )
    noise_size: int = Field(16, ge=1, le=1024, description="size of the noise that a varied character is drawn from")
    temperature: float = Field(
        0.7, ge=0, le=2, description="of that noise when it answers: less is read more easily and varies less"
    )


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
