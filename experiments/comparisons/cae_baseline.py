"""The CAE against the plain one of the assignment: strided convolutions of 128 filters, trained as long.

    make compare-cae-baseline CATS=mlruns/cats/cat-faces

Those of its fields that say what is trained on and how it is scored are the same.
"""

from library.framework.comparison.spec import Baseline

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
        "clip_norm": 1e6,  # as good as none
        "epochs": 100_000,  # its time is over before
        "patience": 0,
    },
    figures=("reconstructions", "samples-of-the-best"),
)
