"""The search space of the character classifier."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """Width, learning rate and regularization."""
    return {
        # The inner convolutions cost the square of it.
        "filters": trial.suggest_int("filters", 8, 32, step=8),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        # AdamW multiplies decay by the learning rate. Wide, because digits come from a dozen writers or from hundreds.
        "weight_decay": trial.suggest_float("weight_decay", 1e-3, 1.0, log=True),
    }
