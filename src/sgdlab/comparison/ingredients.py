"""The ingredients of recipes; imports nothing that takes time, for ``sgdlab ablate --help``."""

INGREDIENTS: dict[str, dict[str, str | float | bool | None]] = {
    "warmup": {"schedule.warmup_epochs": 0.0},
    "schedule": {"schedule": "constant"},
    "decay": {"optimizer.weight_decay": 0.0},
    "nesterov": {"optimizer.nesterov": False},
    "clipping": {"clip_norm": None},
    "averaging": {"average": "none"},
    "smoothing": {"loss.label_smoothing": 0.0},
    "crop": {"augment.crop": 0},
    "flip": {"augment.flip": 0.0},
    "cutout": {"augment.cutout": 0},
    "mixup": {"augment.mixup": 0.0},
    "dropout": {"model.dropout": 0.0},
}
"""Ingredients by name, each with the values that its keys have where it is left out."""
