"""Where a convolutional autoencoder's latent size is looked for: how little room a cat needs."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """Latent size, which a study also minimises, and what must be right at any size."""
    return {
        # On a log scale: from 8 to 16 numbers changes as much as from 128 to 256.
        "latent_size": trial.suggest_int("latent_size", 8, 512, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-3, log=True),
    }
