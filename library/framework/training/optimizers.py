"""The optimizer that every model with one loss shares."""

from collections.abc import Sequence

import keras

from ..config import ScheduleConfig, TrainingConfig


def rate(config: ScheduleConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """A learning rate that is warmed up linearly, and then decayed by a cosine to 0, or kept."""
    warmup = round(config.warmup * config.steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        decay_steps=config.steps - warmup,
        alpha=0.0 if config.schedule == "cosine" else 1.0,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def adamw(config: TrainingConfig, spared: Sequence[keras.Variable] = ()) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), at the config's rate.

    Args:
        config: rate, warm-up, decay, clipping and the number of steps.
        spared: variables that are not to be decayed, besides the biases.
    """
    optimizer = keras.optimizers.AdamW(rate(config), weight_decay=config.weight_decay, clipnorm=config.clip_norm)
    optimizer.exclude_from_weight_decay(var_list=list(spared), var_names=["bias"])
    return optimizer


def steps_per_execution(config: ScheduleConfig, at_most: int = 50) -> int:
    """How many batches to run between two returns to Python: the largest divisor of an epoch's steps."""
    return max(n for n in range(1, at_most + 1) if config.steps_per_epoch % n == 0)
