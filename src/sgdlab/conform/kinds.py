"""The kinds of tensors that a comparison can be limited to; no torch."""

KINDS = {
    "embedding": "table.weight", "kernel": "kernel.weight", "matrix": "hidden.weight",
    "bias": "hidden.bias", "scalar": "scale",
}  # fmt: skip
"""What ``--only`` calls the tensors of the network, with the name of each."""
