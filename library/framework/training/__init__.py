"""How a Keras model is trained: batches, splits, optimizer, trainer, callbacks, progress."""
