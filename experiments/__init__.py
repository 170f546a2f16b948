"""What can be run: each file a lab book with its config, training and scores; found by its name."""
