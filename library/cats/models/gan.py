"""A generative adversarial network for small data: it draws what a discriminator cannot tell from real images.

Four things keep it from collapsing where there are but thousands of images: a loss that compares each drawn image with
a real one, a penalty on verdicts that hang on a hair, changes of all images before they are judged, and an average of
the generator's weights over the last steps, which is what draws in the end. Each can be turned off; without all four it
is a plain DCGAN (Radford et al. 2016).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from library.cats.config import GanConfig
from library.cats.models import blocks
from library.cats.models.augmentation import augment
from library.cats.models.generative import Generative
from library.framework.training.optimizers import rate, steps_per_execution

NOISE = 0.05  # standard deviation of the penalty's, of pixels from 0 to 1


class Gan(Generative):
    """Generator and discriminator, trained at once: both losses are summed, and neither reaches the other's weights.

    The `decoder` is the averaged generator; it draws, and is what is kept.
    """

    def __init__(self, config: GanConfig) -> None:
        super().__init__(config, "gan")
        self.generator, self.decoder = (
            blocks.decoder(
                config.filters,
                config.latent_size,
                residuals=config.residuals,
                activation=config.activation,
                name=name,
            )
            for name in ("generator", "decoder")
        )
        self.decoder.trainable = False
        self.discriminator = blocks.encoder(
            config.discriminator_filters,
            1,
            residuals=config.residuals,
            activation="leaky_relu",
            hidden=config.hidden,
            name="discriminator",
        )
        self._latent_size, self._augment = config.latent_size, config.augment
        self._relativistic, self._penalty = config.loss == "relativistic", config.penalty
        self._draws = keras.random.SeedGenerator(config.seed)
        self.won = keras.metrics.Mean(name="discriminator_accuracy")
        self.begin_with(self.generator.get_weights())

    def begin_with(self, weights: Sequence[np.ndarray]) -> None:
        """Sets the generator's weights, and those of what draws, which is the average of no step yet."""
        self.generator.set_weights(weights)
        self.decoder.set_weights(weights)

    def call(self, images: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """As many drawn images as there are given ones, `[batch, 75, 75, 3]`, 0 to 1."""
        noise = keras.random.normal((ops.shape(images)[0], self._latent_size), seed=self._draws)
        return self.generator(noise, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> keras.KerasTensor:
        """The discriminator's loss and the generator's; `discriminator_accuracy` is of pairs of real and drawn."""
        real, drawn = self._change(blocks.to_unit(x)), self._change(y_pred)
        count = ops.shape(real)[0]
        some = (count + 3) // 4  # tell the penalty well enough
        noise = NOISE * keras.random.normal(ops.shape(real[:some]), seed=self._draws)
        shown = [real, ops.stop_gradient(drawn), *([real[:some] + noise] if self._penalty else [])]
        verdicts = self.discriminator(ops.concatenate(shown), training=training)
        on_real, on_drawn, on_noisy = (verdicts[:count], verdicts[count : 2 * count], verdicts[2 * count :])
        self.won.update_state(ops.cast(on_real > on_drawn, "float32"))
        # The same weights, as constants: through them the generator is told how to do better.
        fixed = [ops.stop_gradient(weight.value) for weight in self.discriminator.trainable_variables]
        others = [weight.value for weight in self.discriminator.non_trainable_variables]
        judged, _ = self.discriminator.stateless_call(fixed, others, drawn, training=training)
        against = self._lost(on_real, on_drawn)
        if self._penalty:
            # R1 (Mescheder et al. 2018, eq. 9) without second derivatives: a small change of the image, over its size.
            against += self._penalty / 2 * ops.mean(ops.square((on_noisy - on_real[:some]) / NOISE))
        return against + self._lost(judged, ops.stop_gradient(on_real), drawn=True)

    def _change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        return augment(images, self._draws) if self._augment else images

    def _lost(self, better: keras.KerasTensor, worse: keras.KerasTensor, *, drawn: bool = False) -> keras.KerasTensor:
        """The loss of who wants the first verdicts to be high and the second ones low.

        Relativistic (Jolicoeur-Martineau 2019, eq. 8 and 9), it is of their differences; plain (Goodfellow et al. 2014,
        section 3, non-saturating), of each alone, and the generator has but the first.
        """
        if self._relativistic:
            return ops.mean(ops.softplus(worse - better))
        return ops.mean(ops.softplus(-better)) + (0.0 if drawn else ops.mean(ops.softplus(worse)))

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """As `Generative` does, of the generator as it is on average by now."""
        # Before the first step there is no average.
        averaged = self.optimizer.use_ema and int(self.optimizer.iterations)
        averages = self.optimizer._model_variables_moving_average if averaged else None
        places = {id(weight): place for place, weight in enumerate(self.trainable_variables)}
        for kept, weight in zip(self.decoder.weights, self.generator.weights, strict=True):
            kept.assign(averages[places[id(weight)]] if averages else weight)
        return super().evaluate(*arguments, **options)


class TwoRates(keras.optimizers.Adam):
    """Adam with a rate of its own for some variables.

    The average of its steps' gradients is short (0.5), as each of two opponents soon answers the other's step (Radford
    et al. 2016, section 3).
    """

    def __init__(self, learning_rate: Any, ratios: list[float], **options: Any) -> None:
        """As Adam.

        Args:
            learning_rate: a number or a schedule.
            ratios: what each trainable variable's rate is multiplied by.
            options: as of `keras.optimizers.Adam`.
        """
        super().__init__(learning_rate, beta_1=0.5, beta_2=0.99, **options)
        self._ratios = ratios

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Moves one variable."""
        super().update_step(gradient, variable, learning_rate * self._ratios[self._get_variable_index(variable)])


def build(config: GanConfig) -> Gan:
    """A compiled GAN; trained and validated on images `[n, 75, 75, 3]` uint8 alone."""
    model = Gan(config)
    averaging = {"use_ema": True, "ema_momentum": config.averaging} if config.averaging else {}
    judges = [any(weight is own for own in model.discriminator.weights) for weight in model.trainable_variables]
    ratios = [config.discriminator_ratio if judge else 1.0 for judge in judges]
    model.compile(
        optimizer=TwoRates(rate(config), ratios, **averaging),
        jit_compile=False,
        steps_per_execution=steps_per_execution(config, 20),
    )
    return model
