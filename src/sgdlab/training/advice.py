"""What to do about an error of torch's in a model of the user's own, in a few words."""

import re

from sgdlab.errors import one_line

_DEVICE = re.compile(r"on the same device|(is|are) on (cpu|cuda)|device type")
_TYPE = re.compile(r"same dtype|scalar type|should be the same|dtype mismatch|different dtype")
_REGISTER = "register it with register_buffer, or make it with x.new_ones and the like"


def advice_on(error: BaseException) -> str:
    """Return ``; `` and what to do, or nothing where that is not known.

    Device and type of a run reach parameters and buffers; other tensors that a module keeps stay as
    its constructor made them, and the first operation that meets both fails.

    Args:
        error: What the model's forward or backward pass raised.
    """
    text = one_line(error)
    if isinstance(error, RuntimeError) and _DEVICE.search(text):
        return f"; a tensor that the model keeps has not moved with it: {_REGISTER}"
    if isinstance(error, RuntimeError) and _TYPE.search(text):
        return f"; a tensor that the model keeps is not of the run's dtype: {_REGISTER}"
    return ""
