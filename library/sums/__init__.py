"""The arithmetic family: models that answer `45+23` with `68`, in texts or in images."""
