"""A stylization in one pass by a model from TensorFlow Hub: a quick result, or a start for the optimisation.

The model takes (content, style), both float32 of shape (1, H, W, 3) in [0, 1], and gives the stylized picture
first: the signature of Magenta's arbitrary-image-stylization (Ghiasi et al. 2017), which the default is.
`tensorflow_hub` is imported only here, and only when a model is wanted.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.errors import WeightsError
from stylize.pyramid import rescale
from stylize.starts import covering
from stylize.types import FloatImage
from stylize.weights.cache import is_offline

STYLE_SIDE = 256
"""Magenta's model was trained on style pictures of this size."""


class HubModel:
    """A loaded model.

    Parameters
    ----------
    handle
        The folder of a SavedModel, or an address that tensorflow-hub knows, downloaded once.
    offline
        Refuse addresses; DEEPFUSION_OFFLINE=1 does the same.

    Raises
    ------
    WeightsError
        In one line: no such folder, no model in it, tensorflow-hub missing, no network.
    """

    def __init__(self, handle: str, *, offline: bool = False) -> None:
        self.handle = handle
        if handle.startswith("https://"):
            if offline or is_offline():
                raise WeightsError(
                    f"{handle}: is not fetched offline; give --hub-model the folder of a downloaded model"
                )
        elif not os.path.isfile(os.path.join(os.path.expanduser(handle), "saved_model.pb")):
            raise WeightsError(
                f"{handle}: holds no saved_model.pb; give the folder of a SavedModel or an https:// address"
            )
        else:
            handle = os.path.expanduser(handle)
        self._model = _load(handle)

    def stylize(self, content: FloatImage, style: FloatImage) -> FloatImage:
        """`content` in the look of `style`, of the content's shape.

        Raises
        ------
        WeightsError
            If the model does not take two pictures or gives none.
        """
        side = min(STYLE_SIDE, *style.shape[:2])
        square = covering(style, side, side)
        try:
            made = np.asarray(
                _first(self._call(tf.constant(content[None]), tf.constant(square[None]))), np.float32
            )
        except (TypeError, ValueError, KeyError, tf.errors.OpError) as error:
            raise WeightsError(
                f"{self.handle}: does not stylize: {_line(error)}; use another model"
            ) from None
        if made.ndim != 4 or made.shape[0] != 1 or made.shape[3] != 3 or not np.all(np.isfinite(made)):
            raise WeightsError(
                f"{self.handle}: gave an array of shape {made.shape}, not a picture; use another model"
            )
        return rescale(np.clip(made[0], 0.0, 1.0), *content.shape[:2])

    def _call(self, content: Any, style: Any) -> Any:
        if callable(self._model):
            return self._model(content, style)
        signature = self._model.signatures["serving_default"]
        names = sorted(signature.structured_input_signature[1])
        return signature(**dict(zip(names, (content, style), strict=True)))


def _load(handle: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports
            import tensorflow_hub
    except ImportError as error:
        raise WeightsError(
            f"tensorflow-hub cannot be imported ({error}); pip install tensorflow-hub"
        ) from None
    try:
        return tensorflow_hub.load(handle)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise WeightsError(
            f"{handle}: cannot be loaded: {_line(error)}; check the address and the network, or give "
            f"--hub-model the folder of a downloaded model"
        ) from None


def _first(output: Any) -> Any:
    """The first of what a model gives, however it gives it."""
    if isinstance(output, dict):
        output = output[min(output)]
    return output[0] if isinstance(output, (list, tuple)) else output


def _line(error: Exception) -> str:
    """The first line of an error's text, not too long."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
