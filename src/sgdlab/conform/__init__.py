"""``conform``: whether two optimizers are the same, and if not, which convention they differ in."""
