"""The page of `make demo`: registered models and studies in a browser, for people who want to try them."""
