"""A photo given as an array or a tensor: as an 8-bit picture, or refused in one sentence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnvis.errors import PhotoError

ALLOWED = "give uint8 from 0 to 255, or floats from 0 to 1"


def picture_of(given: NDArray[Any] | Tensor) -> Image.Image:
    """Turn an array (H, W, 3) or (H, W), or a tensor (3, H, W) or (H, W), into a picture in RGB or grey.

    Values are uint8, or floats in [0, 1], which are rounded to 8 bits. Raises PhotoError for anything else.
    """
    shape = tuple(given.shape)
    if isinstance(given, Tensor):
        kind, colours, wanted = "tensor", 0, "(3, H, W)"
    else:
        kind, colours, wanted = "array", 2, "(H, W, 3)"
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[colours] != 3):
        raise PhotoError(f"the {kind} has the shape {shape}: give {wanted} in colour, or (H, W) in grey.")
    values = _last(given) if isinstance(given, Tensor) else given
    if not values.size:
        raise PhotoError(f"the {kind} has the shape {shape}: give one that is not empty.")
    if np.issubdtype(values.dtype, np.floating):
        values = _eight_bits(values, kind)
    if values.dtype != np.uint8:
        raise PhotoError(f"the {kind} holds {values.dtype}: {ALLOWED}.")
    return Image.fromarray(np.ascontiguousarray(values))


def _last(tensor: Tensor) -> NDArray[Any]:
    """A tensor's values as an array, the colours last."""
    tensor = tensor.detach().cpu()
    tensor = tensor.float() if tensor.is_floating_point() else tensor  # NumPy has no bfloat16
    return (tensor.permute(1, 2, 0) if tensor.dim() == 3 else tensor).numpy()


def _eight_bits(values: NDArray[Any], kind: str) -> NDArray[Any]:
    """Floats in [0, 1] as uint8."""
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 1:  # NaN is in no order
        if np.isnan(low):
            raise PhotoError(f"the {kind} holds values that are not numbers (NaN): {ALLOWED}.")
        raise PhotoError(f"the {kind} holds floats from {low:.4g} to {high:.4g}: {ALLOWED}.")
    return (values * 255).round().astype(np.uint8)
