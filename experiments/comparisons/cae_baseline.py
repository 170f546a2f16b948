"""The CAE against the assignment's plain CAE: strided convolutions of 128 filters, with equal training time.

    make compare-cae-baseline CATS=mlruns/cats/cat-faces

Both use the same data and the same scores.
"""

from library import Baseline

comparison = Baseline(
    experiment="cae",
    fields={
        "filters": "128-128-128",
        "residuals": 0,
        "activation": "relu",
        "mirror": False,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "warmup": 0,
        "weight_decay": 0,
        "ssim_weight": 0,
        "clip_norm": 1e6,  # no clipping in practice
        "epochs": 100_000,  # the time limit ends the training first
        "patience": 0,
    },
    figures=("reconstructions", "samples-of-the-best"),
)
