"""The fields of the experiments with sums, with their bounds, defaults and meanings.

They inherit from each other, so that a function takes the smallest config that it depends on.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from library.framework.config import Config, TextPath, TrainingConfig

Modality = Literal["text-to-text", "image-to-text", "text-to-image"]


class ArithmeticConfig(Config):
    """The queries of two-digit numbers, how they are split and how they are written."""

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
    """The images of characters, and the size of the networks that recognise or draw them."""

    digits: TextPath = Field(
        "scikit-learn",
        min_length=1,
        description="handwriting: scikit-learn (1,797 digits), mnist (downloaded) or an .npz file as Keras keeps MNIST",
    )
    vary: bool = Field(True, description="augment input images while training: rotate, scale, shear and shift them")
    filters: int = Field(
        16, ge=1, le=1024, description="of the convolution next to an image; the deeper ones have 2 and 4 times as many"
    )


class GlyphReaderConfig(GlyphsConfig, TrainingConfig):
    """A classifier of characters and its training."""

    epochs: int = Field(20, ge=1, le=100_000, description="how often validation is scored, at equal distances")
    batch_size: int = Field(128, ge=1, le=65_536, description="images in a batch")
    weight_decay: float = Field(0.1, ge=0, le=10, description="decoupled decay of AdamW, on all but the biases")
    pooling: bool = Field(True, description="pool after convolutions; without, they stride, and there are fewer layers")


class SumsConfig(ArithmeticConfig, GlyphsConfig):
    """Queries and answers of one modality."""

    modality: Modality = Field("text-to-text", description="what a query and an answer are made of")

    @property
    def reads_images(self) -> bool:
        """Whether a query is a sequence of images."""
        return self.modality == "image-to-text"

    @property
    def draws_images(self) -> bool:
        """Whether an answer is a sequence of images."""
        return self.modality == "text-to-image"


class Seq2SeqConfig(SumsConfig, TrainingConfig):
    """The LSTM encoder-decoder, its dataset and its training."""

    epochs: int = Field(16, ge=1, le=100_000, description="how often validation is scored, at equal distances")
    learning_rate: float = Field(8e-3, gt=0, le=1, description="the peak, reached after the warm-up")
    weight_decay: float = Field(
        0.2, ge=0, le=10, description="decoupled decay of AdamW, on all but biases and what reads or draws images"
    )
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
    scratchpad: bool = Field(
        False,
        description="write the working before the answer, as on paper, and see what was written; text-to-text with "
        "ones-first",
    )
    fact_families: bool = Field(
        False,
        description="learn from the queries, too, whose answers follow: of a+b=c and of c-a=b all of a+b, b+a, c-a, "
        "c-b, a-c and b-c; of a*b b*a",
    )
    character_loss: float = Field(
        1.0,
        ge=0,
        le=100,
        description="weight of the loss of naming the character in each image, against 1 of the answer; "
        "0: the model learns from whole answers alone",
    )
    handwriting: Literal["varied", "mean"] = Field(
        "varied", description="of answers as images: varied draws many styles, mean draws the average of all"
    )
    noise_size: int = Field(16, ge=1, le=1024, description="size of the noise that a varied character is drawn from")
    temperature: float = Field(
        0.7, ge=0, le=2, description="standard deviation of that noise in answers: less is more legible and less varied"
    )

    @model_validator(mode="after")
    def _pairs_need_alignment(self) -> Self:
        if self.reading_order == "pairs" and self.padding != "left":
            raise ValueError("reading_order: got 'pairs' with padding='right'; allowed is padding='left', which aligns")
        return self

    @model_validator(mode="after")
    def _scratchpad_needs_text(self) -> Self:
        for name, allowed in (
            ("modality", "text-to-text"),
            ("answer_order", "ones-first"),
            ("embedding_size", "1 or more"),
        ):
            got = getattr(self, name)
            if self.scratchpad and got not in (allowed, *range(1, 4097)):
                raise ValueError(f"{name}: got {got!r} with scratchpad; allowed is {allowed}")
        return self
