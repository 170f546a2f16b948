"""Where the LSTM encoder-decoder's best settings are looked for."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """Size, depth and regularisation; what is known to be best (orders, padding) is left at its default."""
    return {
        # The latent size. In steps of what the processor multiplies at once; finer ones drown in the noise of a seed.
        "units": trial.suggest_int("units", 32, 192, step=32),
        # The assignment's additional LSTM layers.
        "encoder_depth": trial.suggest_int("encoder_depth", 1, 3),
        "decoder_depth": trial.suggest_int("decoder_depth", 1, 2),
        # Small enough that digits must share directions: that is what carries over to unseen queries.
        "embedding_size": trial.suggest_int("embedding_size", 4, 64, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        # AdamW multiplies decay by the rate: useful values are above 0.01 and below the point of forgetting.
        "weight_decay": trial.suggest_float("weight_decay", 1e-2, 3.0, log=True),
    }
