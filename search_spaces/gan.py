"""The search space of the GAN, searched for the quality of its samples."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """The generator's learning rate, the ratio of the discriminator's to it, and latent size."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 5e-5, 2e-3, log=True),
        # As a ratio: the balance matters more than either rate, and TPE models one axis better than a diagonal.
        "discriminator_ratio": trial.suggest_float("discriminator_ratio", 0.25, 8.0, log=True),
        "latent_size": trial.suggest_int("latent_size", 32, 256, log=True),
    }
