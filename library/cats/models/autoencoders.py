"""Convolutional autoencoders: the deterministic one (CAE), and the variational one (VAE), which has a prior."""

from typing import Any

import keras
import numpy as np
from keras import ops

from library.cats.config import AutoencoderConfig, VaeConfig
from library.cats.metrics.reconstruction import similarity_map
from library.cats.models import blocks
from library.cats.models.feature_extractors import FeatureExtractor
from library.cats.models.generative import BATCH, Generative, decode
from library.framework.training.optimizers import JIT_CONVOLUTIONS, adamw, steps_per_execution

LOG_VARIANCES = (-12.0, 4.0)  # bounds of a posterior's, beyond which exponentials vanish or explode


class Cae(Generative):
    """Reconstructs images through a latent vector.

    The loss is the mean squared error of pixels from 0 to 1, plus a weight times 1 - SSIM (Zhao et al. 2017, Loss
    Functions for Image Restoration with Neural Networks, section III.B): a squared error alone draws the mean of all
    likely textures, which is blurred.
    """

    def __init__(
        self, config: AutoencoderConfig, extractor: FeatureExtractor | None = None, name: str = "cae", outputs: int = 0
    ) -> None:
        super().__init__(config, name, extractor)
        depth, activation = config.residuals, config.activation
        filters, size = config.filters, config.latent_size
        self.encoder = blocks.encoder(filters, outputs or size, residuals=depth, activation=activation)
        self.decoder = blocks.decoder(
            filters, size, residuals=depth, activation=activation, upsampling=config.upsampling
        )
        self._ssim_weight = config.ssim_weight
        self.squared = keras.metrics.Mean(name="mean_squared_error")

    def call(self, images: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Reconstructs images `[batch, 75, 75, 3]`, 0 to 255, as 0 to 1."""
        return self.decoder(self.encoder(blocks.to_unit(images), training=training), training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> keras.KerasTensor:
        """The reconstruction error."""
        return self.error(x, y_pred)

    def error(self, images: keras.KerasTensor, reconstructions: keras.KerasTensor) -> keras.KerasTensor:
        """The mean squared error of a batch, which also updates the metric, plus the weighted 1 - SSIM."""
        originals = blocks.to_unit(images)
        each = ops.mean(ops.square(originals - reconstructions), axis=(1, 2, 3))
        self.squared.update_state(each)
        if not self._ssim_weight:
            return ops.mean(each)
        a, b = (ops.moveaxis(pixels, -1, 1) for pixels in (originals, reconstructions))
        # A quarter of all windows: the mean is nearly the same.
        return ops.mean(each) + self._ssim_weight * (1 - ops.mean(similarity_map(a, b, stride=2)))


class Vae(Cae):
    """Learns a posterior for each image (Kingma and Welling 2014): the encoder gives its mean and log variance.

    The likelihood is a Gaussian around the decoder's image. With the variance that fits a batch best (Rybkin et al.
    2021, section 3.2), the loss is half the logarithm of the mean squared error plus the divergence per number of an
    image: the two need no weight to balance them, and `beta` is 1 for the bound itself. With variance 1/2 the loss is
    the mean squared error plus that divergence. The weighted 1 - SSIM is added to the mean squared error in both, and
    the loss is no bound then.
    """

    def __init__(self, config: VaeConfig, extractor: FeatureExtractor | None = None) -> None:
        super().__init__(config, extractor, "vae", outputs=2 * config.latent_size)
        self._beta, self._calibrated = config.beta, config.likelihood == "calibrated"
        self._warmup = config.beta_warmup * config.steps
        # Not the optimizer's count, which a loss cannot read on the JAX backend.
        self._steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")
        self._random = keras.random.SeedGenerator(config.seed)
        self.divergence = keras.metrics.Mean(name="divergence")

    def posterior(self, images: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Mean and log variance, `[batch, latent_size]` each, for images from 0 to 255."""
        mean, log_variance = ops.split(self.encoder(blocks.to_unit(images)), 2, axis=-1)
        return mean, ops.clip(log_variance, *LOG_VARIANCES)

    def call(self, images: keras.KerasTensor, training: bool | None = None) -> tuple[Any, Any]:
        """Decodes a sample of the posterior (its mean, unless training); returns the images and the divergence."""
        mean, log_variance = self.posterior(images)
        noise = keras.random.normal(ops.shape(mean), seed=self._random) if training else 0.0
        divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1 - log_variance, axis=-1)
        return self.decoder(mean + ops.exp(0.5 * log_variance) * noise, training=training), divergence

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> keras.KerasTensor:
        """The negative bound per number of an image, up to a constant; `divergence` is in nats per image."""
        images, divergence = y_pred
        self.divergence.update_state(divergence)
        error = self.error(x, images)
        misfit = 0.5 * ops.log(error) if self._calibrated else error
        weight = self._beta
        if training and self._warmup:
            weight *= ops.minimum(1.0, self._steps / self._warmup)
            self._steps.assign_add(1.0)
        return misfit + weight * ops.mean(divergence) / np.prod(images.shape[1:])


def build(config: AutoencoderConfig, extractor: FeatureExtractor | None = None) -> Cae:
    """A compiled CAE, or a VAE for a `VaeConfig`; `fit` and `evaluate` take images `[n, 75, 75, 3]` uint8 only."""
    model = Vae(config, extractor) if isinstance(config, VaeConfig) else Cae(config, extractor)
    model.compile(
        optimizer=adamw(config), jit_compile=JIT_CONVOLUTIONS, steps_per_execution=steps_per_execution(config, 20)
    )
    return model


def encode(model: Cae, images: np.ndarray) -> np.ndarray:
    """The encoder's output for images `[n, 75, 75, 3]` uint8: latent vectors, or a VAE's means and log variances."""
    batches = [images[start : start + BATCH].astype(np.float32) / 255 for start in range(0, len(images), BATCH)]
    return np.concatenate([np.asarray(model.encoder(batch)) for batch in batches])


def posterior(model: Vae, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and log variances, `[images, latent_size]` each, for images `[n, 75, 75, 3]` uint8."""
    means, log_variances = np.split(encode(model, images), 2, axis=1)
    return means, np.clip(log_variances, *LOG_VARIANCES)


def posterior_samples(model: Vae, images: np.ndarray, seed: int) -> np.ndarray:
    """One draw of each image's posterior, `[images, latent_size]`: together, draws of the aggregate posterior."""
    means, log_variances = posterior(model, images)
    return means + np.exp(log_variances / 2) * np.random.default_rng(seed).standard_normal(means.shape)


def reconstruct(model: Cae, images: np.ndarray) -> np.ndarray:
    """Reconstructs images `[n, 75, 75, 3]` uint8; a VAE does so from its posterior's mean."""
    return decode(model.decoder, encode(model, images)[:, : model.noise.shape[1]])
