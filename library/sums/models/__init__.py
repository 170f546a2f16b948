"""Networks and their losses, compiled for training."""
