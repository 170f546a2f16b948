"""A generative adversarial network for small data sets: a generator whose images a discriminator takes for real.

Four measures keep it from collapsing on a few thousand images: a relativistic loss, which compares each generated image
with a real one; an R1 gradient penalty on the discriminator; augmentation of all images; and an exponential moving
average of the generator's weights, which draws the samples. Each can be turned off; without all four it is a plain
DCGAN (Radford et al. 2016).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from library.cats.config import GanConfig
from library.cats.models import blocks
from library.cats.models.augmentation import augment
from library.cats.models.feature_extractors import FeatureExtractor
from library.cats.models.generative import Generative
from library.cats.models.samplers import LatentSampler
from library.framework.training.optimizers import JIT_CONVOLUTIONS, rate, steps_per_execution

NOISE = 0.05  # standard deviation of the R1 penalty's noise, for pixels from 0 to 1


class Gan(Generative):
    """Generator and discriminator, trained at once: the losses are summed, and each reaches its own network only.

    The `decoder` is the generator with averaged weights; it draws the samples and is what gets registered.
    """

    def __init__(self, config: GanConfig, extractor: FeatureExtractor | None = None) -> None:
        super().__init__(config, "gan", extractor)
        depth, size = config.residuals, config.latent_size
        self.generator, self.decoder = (
            blocks.decoder(
                config.filters,
                size,
                residuals=depth,
                activation=config.activation,
                upsampling=config.upsampling,
                name=name,
            )
            for name in ("generator", "decoder")
        )
        self.decoder.trainable = False
        self.discriminator = blocks.encoder(
            config.discriminator_filters, 1, residuals=depth, activation="leaky_relu", hidden=config.hidden,
            name="discriminator",
        )  # fmt: skip
        self._latent_size, self._augment = size, config.augment
        self._relativistic, self._penalty = config.loss == "relativistic", config.penalty
        self._random = keras.random.SeedGenerator(config.seed)
        self.discriminator_accuracy = keras.metrics.Mean(name="discriminator_accuracy")
        self.load_generator_weights(self.generator.get_weights())

    def load_generator_weights(self, weights: Sequence[np.ndarray], codes: LatentSampler | None = None) -> None:
        """Sets the weights of the generator and of its average, before any step.

        They may be those of an autoencoder's decoder, with a Gaussian of its codes: the first layer then also maps the
        generator's noise, which is standard normal, to that Gaussian.
        """
        if codes:
            [mean], [factor], (kernel, bias, *others) = codes.means, codes.factors, weights
            weights = [factor.T @ kernel, bias + mean @ kernel, *others]
        self.generator.set_weights(weights)
        self.decoder.set_weights(weights)

    def call(self, images: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Generates as many images as are given, `[batch, 75, 75, 3]`, 0 to 1."""
        noise = keras.random.normal((ops.shape(images)[0], self._latent_size), seed=self._random)
        return self.generator(noise, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> keras.KerasTensor:
        """The discriminator's loss plus the generator's.

        `discriminator_accuracy` is the share of pairs in which the real image has the higher logit.
        """
        real, generated = (
            augment(images, self._random) if self._augment else images for images in (blocks.to_unit(x), y_pred)
        )
        count = ops.shape(real)[0]
        quarter = real[: (count + 3) // 4]  # enough images to estimate the penalty
        noise = NOISE * keras.random.normal(ops.shape(quarter), seed=self._random)
        batch = [real, ops.stop_gradient(generated), *([quarter + noise] if self._penalty else [])]
        logits = self.discriminator(ops.concatenate(batch), training=training)
        on_real, on_generated, on_noisy = (logits[:count], logits[count : 2 * count], logits[2 * count :])
        self.discriminator_accuracy.update_state(ops.cast(on_real > on_generated, "float32"))
        # The generator's gradient passes through the discriminator, whose weights are constants here.
        constants = [ops.stop_gradient(weight.value) for weight in self.discriminator.trainable_variables]
        others = [weight.value for weight in self.discriminator.non_trainable_variables]
        for_generator, _ = self.discriminator.stateless_call(constants, others, generated, training=training)
        loss = self._adversarial_loss(on_real, on_generated)
        if self._penalty:
            # R1 (Mescheder et al. 2018, eq. 9) without second derivatives, by finite differences.
            loss += self._penalty / 2 * ops.mean(ops.square((on_noisy - on_real[: (count + 3) // 4]) / NOISE))
        return loss + self._adversarial_loss(for_generator, ops.stop_gradient(on_real), is_generator=True)

    def _adversarial_loss(
        self, higher: keras.KerasTensor, lower: keras.KerasTensor, *, is_generator: bool = False
    ) -> keras.KerasTensor:
        """The loss of the network that wants the first logits to be high and the second ones low.

        Relativistic (Jolicoeur-Martineau 2019, eq. 8 and 9): of their differences. Plain (Goodfellow et al. 2014,
        section 3, non-saturating): of each alone; the generator's has the first term only.
        """
        if self._relativistic:
            return ops.mean(ops.softplus(lower - higher))
        return ops.mean(ops.softplus(-higher)) + (0.0 if is_generator else ops.mean(ops.softplus(lower)))

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """Evaluates as `Generative` does, with the generator's averaged weights."""
        # Before the first step there is no average.
        averaged = self.optimizer.use_ema and int(self.optimizer.iterations)
        averages = self.optimizer._model_variables_moving_average if averaged else None
        places = {id(weight): place for place, weight in enumerate(self.trainable_variables)}
        for kept, weight in zip(self.decoder.weights, self.generator.weights, strict=True):
            # A copy: on the JAX backend, both would share a buffer, which the next step gives away.
            kept.assign(ops.copy(averages[places[id(weight)]] if averages else weight))
        return super().evaluate(*arguments, **options)


class TwoRates(keras.optimizers.Adam):
    """Adam with a factor on the learning rate for each trainable variable.

    The first moment decays fast (0.5), as each opponent soon answers the other's step (Radford et al. 2016, section 3).
    """

    def __init__(self, learning_rate: Any, ratios: list[float], **options: Any) -> None:
        super().__init__(learning_rate, beta_1=0.5, beta_2=0.99, **options)
        self._ratios = ratios

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient, variable, learning_rate * self._ratios[self._get_variable_index(variable)])


def build(config: GanConfig, extractor: FeatureExtractor | None = None) -> Gan:
    """A compiled GAN; `fit` and `evaluate` take images `[n, 75, 75, 3]` uint8 only."""
    model = Gan(config, extractor)
    averaging = {"use_ema": True, "ema_momentum": config.averaging} if config.averaging else {}
    own = {id(weight) for weight in model.discriminator.weights}
    ratios = [config.discriminator_ratio if id(weight) in own else 1.0 for weight in model.trainable_variables]
    model.compile(
        optimizer=TwoRates(rate(config), ratios, **averaging),
        jit_compile=JIT_CONVOLUTIONS,
        steps_per_execution=steps_per_execution(config, 20),
    )
    return model
