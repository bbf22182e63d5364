"""What targets can be, and by what a task is judged.

| task | targets | loss=auto | metric, better |
|---|---|---|---|
| ``classification`` | one class of each example, ``[n]`` | cross_entropy | accuracy, more |
| ``multilabel`` | any number of labels, 0/1 ``[n, labels]`` | bce | accuracy of a label, more |
| ``language`` | the next token at each place, ``[n, context]`` | cross_entropy | perplexity, less |
| ``regression`` | quantities ``[n, outputs]`` | mse | rmse in their units, less |
| ``counts`` | numbers of events ``[n, outputs]`` | poisson | mean deviance, less |
| ``custom`` | whatever a loss of yours takes | yours | the loss itself, less |
| ``optimization`` | none: a test problem | mean | distance to the optimum, less |
"""

from typing import Literal, get_args

Task = Literal[
    "classification", "multilabel", "language", "regression", "counts", "custom", "optimization"
]
TASKS: tuple[str, ...] = get_args(Task)
"""All tasks."""
