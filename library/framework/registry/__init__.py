"""The model registry: register, promote, load; the only folder that writes to it.

A stage is two things at once, as MLflow calls its stages deprecated and its aliases their successor: the native stage
and an alias of the same name in lower case. `models:/NAME/Production` and `models:/NAME@production` are one version.
"""
