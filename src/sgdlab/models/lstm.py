"""A language model that reads one token after the other."""

from torch import Tensor, nn

from sgdlab.checks import require_number, require_whole
from sgdlab.errors import InputError
from sgdlab.models.token_inputs import context_of


class LSTM(nn.Module):
    """``o_t = W·h_t + b`` with ``h`` of stacked LSTM layers (Hochreiter and Schmidhuber 1997).

    The state is 0 at the start of each window: what came before it is not known. Weights are
    torch's default, uniform in ``±1/√width``; of embeddings ``N(0, 1)``.

    Args:
        input_shape: ``(context,)``; windows of any length are read.
        num_outputs: Tokens of the vocabulary, of inputs and of outputs.
        width: Features of a token and units of each layer.
        depth: Layers.
        dropout: Probability that a feature between two layers, or before the output, is zeroed in
            training (Zaremba et al. 2014).

    Raises:
        InputError: An impossible setting, or inputs that are no tokens.
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        width: int = 64,
        depth: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        context_of("lstm", input_shape)
        require_whole("model.width", width)
        require_whole("model.depth", depth)
        require_number("model.dropout", dropout, 0, 1, open_high=True)
        self.embedding = nn.Embedding(num_outputs, width)
        between = dropout if depth > 1 else 0.0  # torch warns of it where there is no second layer
        self.layers = nn.LSTM(width, width, depth, batch_first=True, dropout=between)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``[n, t, num_outputs]`` for tokens ``[n, t]``.

        Raises:
            InputError: Inputs that are no tokens.
        """
        if x.is_floating_point() or x.ndim != 2:
            raise InputError(
                f"model=lstm needs tokens [n, context], integers; the inputs are {list(x.shape)} "
                f"{x.dtype}"
            )
        h, _ = self.layers(self.embedding(x))
        return self.head(self.drop(h))
