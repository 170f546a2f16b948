"""Where a variational autoencoder's best settings are looked for, by the quality of its samples."""

from optuna.trial import BaseTrial


def space(trial: BaseTrial) -> dict[str, float | int]:
    """Latent size, beta and rate; never judged by the loss, as beta is in it."""
    return {
        "latent_size": trial.suggest_int("latent_size", 16, 256, log=True),
        # With the variance calibrated, 1 is the bound itself; around it, sharp and true to the prior are at odds.
        "beta": trial.suggest_float("beta", 0.1, 10.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-3, log=True),
    }
