"""The search space of the VAE, searched for the quality of its samples."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """Latent size, beta and learning rate. The loss is no objective, because it depends on beta."""
    return {
        "latent_size": trial.suggest_int("latent_size", 16, 256, log=True),
        # With a calibrated variance, 1 is the ELBO. Less favors sharp images, more a posterior close to the prior.
        "beta": trial.suggest_float("beta", 0.1, 10.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-3, log=True),
    }
