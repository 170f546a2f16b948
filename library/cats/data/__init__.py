"""Images of cats, synthetic or curated, and the photos that users send to a model."""
