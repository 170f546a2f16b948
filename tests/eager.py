"""TensorFlow without graphs: for a few steps, tracing and compiling takes longer than all else."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def eagerly() -> Iterator[None]:
    """Runs what would be compiled step by step, and without the warnings that this causes."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Even though the `tf.config", UserWarning)  # tf.data has graphs nevertheless
        warnings.filterwarnings("ignore", "The structure of `inputs`", UserWarning)
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)
