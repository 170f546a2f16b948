"""What a registered model looks like to its caller: one self-contained file for each kind of model."""
