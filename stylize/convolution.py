"""The network's convolutions, in the form that the processor does fastest."""

from __future__ import annotations

from functools import cache
from typing import Any

import tensorflow as tf

from stylize.processor import flags
from stylize.types import Tensor


class Convolution:
    """A convolution with a fixed kernel, padded with zeros, stride 1, and its gradient.

    With stride 1, a convolution is also the gradient of another one, whose kernel is turned by 180 degrees
    with its inputs and outputs exchanged. What computes that gradient is twice as fast as what computes
    convolutions where `turns` says so: there it does both, forward and back.

    Parameters
    ----------
    kernel
        Shape (height, width, inputs, outputs), odd sides, of the type that it is convolved in.
    """

    def __init__(self, kernel: Tensor) -> None:
        self.kernel = kernel
        self._turned: Tensor | None = None
        if kernel.dtype == tf.float32 and turns():
            self._turned = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))

    def __call__(self, value: Tensor) -> Tensor:
        """Of activations of shape (N, H, W, inputs), to (N, H, W, outputs)."""
        if self._turned is None:
            return tf.nn.conv2d(value, self.kernel, strides=1, padding="SAME")
        return self._by_gradients(value)

    def _by_gradients(self, value: Tensor) -> Tensor:
        @tf.custom_gradient
        def convolve(value: Tensor) -> Any:
            return _gradient(value, self._turned), lambda above: _gradient(above, self.kernel)

        return convolve(value)


def _gradient(above: Tensor, kernel: Any) -> Tensor:
    """The gradient of a convolution with `kernel` with respect to what it was done to."""
    shape = tf.concat((tf.shape(above)[:3], (kernel.shape[2],)), axis=0)
    return tf.nn.conv2d_transpose(above, kernel, shape, strides=1, padding="SAME")


@cache
def turns() -> bool:
    """Whether gradients of convolutions are faster here than convolutions.

    Measured in float32 on a processor with AVX2 and without AVX-512: there oneDNN makes a matrix product of a
    convolution and convolves directly for its gradient (docs/benchmarks.md). Without oneDNN it is the other
    way round.
    """
    if tf.config.list_physical_devices("GPU") or not _has_onednn():
        return False
    return "avx2" in flags() and "avx512f" not in flags()


def _has_onednn() -> bool:
    """Whether TensorFlow computes with oneDNN in this process; False where it does not say."""
    try:
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return False
    return bool(_pywrap_util_port.IsMklEnabled())
