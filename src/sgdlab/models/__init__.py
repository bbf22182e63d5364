"""Models, one per file.

A constructor that takes ``input_shape`` (without the batch) and ``num_outputs`` is given those of
the dataset.
"""
