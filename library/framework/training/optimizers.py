"""The optimizer and learning rate schedule of all models with a single loss, so that their configs mean the same."""

from collections.abc import Sequence

import keras

from ..config import ScheduleConfig, TrainingConfig

JIT_CONVOLUTIONS = keras.backend.backend() != "tensorflow"
"""Whether XLA compiles networks of convolutions. TensorFlow's own are twice as fast; JAX compiles only with XLA."""


def rate(config: ScheduleConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """A learning rate with linear warm-up, then constant or with cosine decay to 0."""
    warmup = round(config.warmup * config.steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        decay_steps=config.steps - warmup,
        alpha=0.0 if config.schedule == "cosine" else 1.0,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def adamw(
    config: TrainingConfig, exclude_from_weight_decay: Sequence[keras.Variable] = ()
) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), without decay of the biases and of the variables that are excluded."""
    optimizer = keras.optimizers.AdamW(rate(config), weight_decay=config.weight_decay, clipnorm=config.clip_norm)
    optimizer.exclude_from_weight_decay(var_list=list(exclude_from_weight_decay), var_names=["bias"])
    return optimizer


def steps_per_execution(config: ScheduleConfig, at_most: int = 50) -> int:
    """The number of batches per call into the backend: the largest divisor of an epoch's steps up to a maximum."""
    return max(n for n in range(1, at_most + 1) if config.steps_per_epoch % n == 0)
