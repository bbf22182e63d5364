"""Whether a model has the outputs that its data need."""

from torch import Tensor

from sgdlab.datasets.base import Dataset, Split
from sgdlab.errors import InputError
from sgdlab.models.outputs import described

_LET_IT = "let it take num_outputs"


def look_at_columns(output: object, batch: Split, data: Dataset, label: str) -> list[str]:
    """Look at the shape of outputs; return what is probably not meant.

    Args:
        output: What the model returned for a batch.
        batch: The batch.
        data: The dataset, whose task says what outputs have to be.
        label: What messages call the model.

    Raises:
        InputError: No loss of the task can be computed from them.
    """
    if not isinstance(output, Tensor) or data.task == "custom" or data.problem is not None:
        return []
    if data.task == "language":
        return _of_tokens(output, batch, data.num_outputs, label)
    if data.task == "classification":
        wanted = data.num_outputs
        given = output.shape[1] if output.ndim > 1 else 1
        if given == wanted or (given == 1 and wanted == 2):
            return []
        line = f"{label}: gives {given} outputs, the data have {wanted} classes"
        if given < wanted:
            raise InputError(f"{line}: {_LET_IT}, or set its number of outputs to {wanted}")
        return [f"{line}: {given - wanted} of them stand for nothing; {_LET_IT}"]
    if output.numel() != batch.y.numel():
        raise InputError(
            f"{label}: gives {described(output)} for targets {list(batch.y.shape)}: {_LET_IT}, or "
            f"set its number of outputs to {data.num_outputs}"
        )
    return []


def _of_tokens(output: Tensor, batch: Split, vocabulary: int, label: str) -> list[str]:
    wanted = [*batch.y.shape, vocabulary]
    if output.shape[:-1] != batch.y.shape or output.shape[-1] < vocabulary:
        raise InputError(
            f"{label}: gives {described(output)} for tokens {wanted[:-1]}; it needs {wanted}, an "
            "output for each token of the vocabulary at each place, as model=gpt has"
        )
    if more := output.shape[-1] - vocabulary:
        said = "outputs more than there are tokens: they stand for nothing"
        return [f"{label}: gives {more} {said}; {_LET_IT}"]
    return []
