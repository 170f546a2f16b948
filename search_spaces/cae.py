"""The search space of the CAE: its latent size, to be as small as the reconstruction error allows."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """Latent size, which a study also minimizes, and the learning rate, which has to fit each size."""
    return {
        # On a log scale: 8 to 16 numbers is as large a change as 128 to 256.
        "latent_size": trial.suggest_int("latent_size", 8, 512, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-3, log=True),
    }
