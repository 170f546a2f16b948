"""The GAN against the assignment's plain GAN: a DCGAN with Adam at 1e-4 and no stabilization.

    make compare-gan-baseline CATS=mlruns/cats/cat-faces

Both use the same data and the same scores.
"""

from library import Baseline

comparison = Baseline(
    experiment="gan",
    fields={
        "filters": "128-128-128",
        "residuals": 0,
        "activation": "relu",
        "hidden": 0,
        "discriminator_filters": "128-128-128",
        "pretraining": 0,
        "mirror": False,
        "loss": "plain",
        "augment": False,
        "penalty": 0,
        "averaging": 0,
        "learning_rate": 1e-4,
        "discriminator_ratio": 1,
        "schedule": "constant",
        "warmup": 0,
        "epochs": 100_000,  # the time limit ends the training first
        "patience": 0,
    },
    figures=("samples-of-the-best",),
)
