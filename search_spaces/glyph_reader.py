"""Where the best settings of the reader of characters are looked for."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """Width, rate and regularisation."""
    return {
        # The cost of the inner convolutions grows with the square.
        "filters": trial.suggest_int("filters", 8, 32, step=8),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        # AdamW multiplies decay by the rate; wide, as digits may come from a dozen writers or from hundreds.
        "weight_decay": trial.suggest_float("weight_decay", 1e-3, 1.0, log=True),
    }
