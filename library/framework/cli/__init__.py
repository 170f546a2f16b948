"""What the commands do, once every value is known to be good; tensorflow and mlflow are imported no earlier."""
