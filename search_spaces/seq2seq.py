"""The search space of the LSTM encoder-decoder."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """Size, depth and regularization; orders and padding keep their defaults, which are known to be best."""
    return {
        # The latent size, in multiples of the CPU's vector width; finer steps matter less than the seed.
        "units": trial.suggest_int("units", 32, 192, step=32),
        # The assignment's additional LSTM layers.
        "encoder_depth": trial.suggest_int("encoder_depth", 1, 3),
        "decoder_depth": trial.suggest_int("decoder_depth", 1, 2),
        # Small enough that digits share directions, which generalizes to unseen queries.
        "embedding_size": trial.suggest_int("embedding_size", 4, 64, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        # AdamW multiplies decay by the learning rate: values are useful above 0.01, until they prevent learning.
        "weight_decay": trial.suggest_float("weight_decay", 1e-2, 3.0, log=True),
    }
