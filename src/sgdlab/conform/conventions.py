"""The conventions that implementations differ in, in words."""

from typing import Any

WORDS: dict[str, dict[Any, str]] = {
    "decay": {
        "coupled": "adds weight decay to the gradient (coupled)",
        "decoupled": "shrinks the weights by lr · weight_decay beside the step (decoupled)",
        "after": "shrinks the weights by lr · weight_decay after the step, not before it",
        "constant": "shrinks the weights by weight_decay, not multiplied by lr",
        "by_schedule": "shrinks the weights by weight_decay · the schedule's factor, without lr",
        "corrected": "multiplies its decoupled decay by lr · √(1 - β₂ᵗ) / (1 - β₁ᵗ)",
        "momentum_only": "adds weight decay to the gradient for the momentum, not for the squares",
        "in_update": "adds weight decay to the update (decoupled), where the weights are",
        "scaled": "multiplies its decoupled decay by the rate relative to the weights",
        "none": "applies no weight decay",
    },
    "decays_vectors": {
        True: "decays every tensor",
        False: "decays tensors of two or more axes only",
    },
    "epsilon": {
        "outside": "adds eps outside the root, after the bias correction",
        "uncorrected": "adds eps outside the root, before the bias correction",
        "inside": "adds eps inside the root, after the bias correction",
        "inside_uncorrected": "adds eps inside the root, before the bias correction",
        "floor": "takes eps as the least denominator instead of adding it",
    },
    "correction": {
        "both": "corrects the bias of both moments",
        "none": "corrects no bias",
        "first": "corrects the bias of the first moment only",
        "second": "corrects the bias of the second moment only",
    },
    "first_count": {1: "counts steps from 1", 2: "counts steps from 2 in the bias correction"},
    "shared_count": {
        False: "counts the steps of each tensor",
        True: "counts steps for all tensors together, those without a gradient, too",
    },
    "lr_inside": {
        False: "keeps lr outside of the momentum buffer (torch's form)",
        True: "has lr inside of the momentum buffer (Keras's form)",
    },
    "dampening": {
        0.0: "adds whole gradients to the momentum",
        None: "averages gradients by 1 - β₁",
    },
    "first_whole": {
        True: "takes the first gradient into the momentum undampened",
        False: "dampens the first gradient, too",
    },
    "nesterov": {False: "takes no Nesterov step", True: "takes Nesterov's step"},
    "square": {
        "none": "divides by no second moment",
        "average": "divides by the root of an average of squares",
        "sum": "divides by the root of the sum of all squares (Adagrad)",
        "max": "divides by the root of the largest average of squares so far (AMSGrad)",
        "max_corrected": "takes the largest average of squares (AMSGrad) after the bias correction",
        "infinity": "divides by the largest decayed |g| (Adamax)",
        "belief": "averages squares of g - m (AdaBelief)",
        "centred": "divides by the standard deviation (centred)",
    },
    "square_start": {0.0: "starts squares at 0", 1.0: "starts squares at 1"},
    "square_stale": {
        False: "has the newest gradient in the second moment",
        True: "divides by the second moment of the step before",
    },
    "normalised_first": {
        False: "divides the momentum of the gradients",
        True: "takes the momentum of gradients that are divided already",
    },
    "ascends": {False: "descends", True: "ascends (the sign of the gradient is turned)"},
    "clip": {
        "none": "clips no gradient",
        "global": "clips the global norm of the gradient",
        "torch": "clips the global norm of the gradient (plus 1e-6, as clip_grad_norm_)",
        "tensor": "clips the norm of each tensor's gradient",
        "value": "clips each entry of the gradient",
        "rms": "clips the root mean square of each tensor's gradient",
    },
    "centralised": {
        False: "takes gradients as they are",
        True: "takes the mean of each slice out of the gradient (gradient centralisation)",
    },
    "bound": {
        "none": "clips no update",
        "global": "clips the global norm of the update",
        "tensor": "clips the norm of each tensor's update",
        "value": "clips each entry of the update",
        "rms": "clips the root mean square of each tensor's update",
    },
    "max_norm": {
        "none": "bounds no norm of weights",
        "tensor": "bounds the norm of each tensor after the step (max-norm)",
        "slices": "bounds the norm of each row after the step (max-norm)",
    },
    "late": {False: "takes the step's own rate", True: "takes the rate of the step before"},
    "absent_is_zero": {
        False: "skips tensors without a gradient",
        True: "treats a missing gradient as zero",
    },
    "lazy": {
        False: "moves entries whose gradient is zero by their momentum",
        True: "leaves entries alone whose gradient is zero (lazy)",
    },
    "bound_first": {
        False: "clips the step",
        True: "clips the update before it enters the momentum",
    },
    "trust": {
        "none": "has no trust ratio",
        "gradient": "multiplies the gradient of each tensor by |w| / |gradient| (LARS)",
        "update": "multiplies the update of each tensor by |w| / |update| (LAMB)",
    },
    "trust_vectors": {
        True: "has a trust ratio for every tensor",
        False: "has a trust ratio for tensors of two or more axes only",
    },
    "trust_eps": {
        False: "divides by the bare norm in the trust ratio",
        True: "adds eps to the norm that the trust ratio divides by",
    },
    "trust_apart": {
        False: "divides by |gradient + weight_decay · w| in the trust ratio",
        True: "divides by |gradient| + weight_decay · |w| in the trust ratio",
    },
    "trust_of_decayed": {
        True: "takes |w| of the trust ratio after the decay",
        False: "takes |w| of the trust ratio before the decay",
    },
    "trust_uncorrected": {
        False: "corrects the bias before the trust ratio",
        True: "corrects the bias by the rate, after the trust ratio",
    },
    "factored": {
        False: "keeps a second moment for every weight",
        True: "makes the second moments of a matrix from its rows' and columns' (Adafactor)",
    },
    "growing": {
        False: "has the same memory of squares (β₂) in all steps",
        True: "lets the memory of squares (β₂) grow with the step t as 1 - t^power (Adafactor)",
    },
    "rms_scaled": {
        False: "takes the rate as it is",
        True: "multiplies the rate by the root mean square of the tensor's weights (Adafactor)",
    },
    "capped": {
        False: "bounds no rate",
        True: "bounds the rate by 1/√t (Adafactor)",
    },
    "ignores_schedule": {
        False: "follows the schedule of lr",
        True: "has a rate of its own that ignores the schedule of lr",
    },
    "pace": {
        "given": "takes the rate that it is given",
        "common": "finds a rate of its own in every step, one for all tensors",
        "tensor": "finds a rate of its own in every step for each tensor",
    },
}
"""What each value of a switch of `ReferenceRule` means, as a predicate."""
