"""Trains many runs at once: parameters with a run axis, one update for all of them."""
