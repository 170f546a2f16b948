"""`make repeat`: a run trained again from its record, and how its metrics differ."""
