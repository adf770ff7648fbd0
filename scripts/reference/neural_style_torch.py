"""neural-style's objective in PyTorch, with the two optimisers that it is minimised with there; optional.

The pixels are as neural-style-pt has them: BGR in 0 to 255 less the mean colour, without bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from scripts.reference.neural_style import (
    CONTENT_LAYER,
    CONTENT_WEIGHT,
    STYLE_LAYERS,
    STYLE_WEIGHT,
    TV_WEIGHT,
)
from scripts.reference.torch_iteration import network
from scripts.reference.turns import Watcher
from stylize.types import FloatImage
from stylize.weights import Weights

FLOAT32, CHANNELS_LAST, BFLOAT16, AUTOCAST = WAYS = (
    *("PyTorch float32", "PyTorch float32, channels_last"),
    *("PyTorch bfloat16 weights, channels_last", "PyTorch autocast bfloat16, channels_last"),
)
"""How the network can be computed; sums and losses are always float32."""

_MEAN = np.array([103.939, 116.779, 123.68], np.float32)
_HISTORY = 100


class TorchObjective:
    """The loss of a pair's image, shape (1, 3, H, W)."""

    def __init__(
        self, torch: Any, weights: Weights, content: FloatImage, style: FloatImage, way: str = FLOAT32
    ) -> None:
        self._torch = torch
        self._half = torch.bfloat16 if way == BFLOAT16 else torch.float32
        self._autocast = way == AUTOCAST
        self._format = torch.contiguous_format if way == FLOAT32 else torch.channels_last
        self._parameters = {
            layer: (self._placed(kernel.transpose(3, 2, 0, 1)), torch.from_numpy(bias.copy()).to(self._half))
            for layer, (kernel, bias) in weights.layers.items()
        }
        with torch.no_grad():
            self._content, self._styles = self._seen(self.image(content))[0], self._seen(self.image(style))[1]

    def image(self, picture: FloatImage) -> Any:
        """A picture, RGB in [0, 1], as what is optimised."""
        value = (picture[..., ::-1] * np.float32(255.0) - _MEAN).transpose(2, 0, 1)[None]
        return self._torch.from_numpy(value.copy()).contiguous(memory_format=self._format)

    def picture(self, image: Any) -> FloatImage:
        """And back."""
        value = image.detach().float().numpy()[0].transpose(1, 2, 0)
        return np.asarray(np.clip((value + _MEAN)[..., ::-1] / 255.0, 0.0, 1.0), np.float32)

    def loss(self, image: Any) -> Any:
        """See neural_style.py beside this."""
        content, styles = self._seen(image)
        loss = CONTENT_WEIGHT * ((content - self._content) ** 2).mean()
        for gram, aim in zip(styles, self._styles, strict=True):
            loss = loss + STYLE_WEIGHT * ((gram - aim) ** 2).mean()
        right, down = image[..., 1:] - image[..., :-1], image[..., 1:, :] - image[..., :-1, :]
        return loss + TV_WEIGHT * (right.abs().sum() + down.abs().sum())

    def evaluation(self, picture: FloatImage) -> Callable[[], float]:
        """Evaluates `picture`; gives the loss once the gradient is there."""
        image = self.image(picture).requires_grad_(True)

        def evaluate() -> float:
            loss = self.loss(image)
            (gradient,) = self._torch.autograd.grad(loss, image)
            float(gradient[0, 0, 0, 0])
            return float(loss.detach())

        return evaluate

    def _placed(self, value: np.ndarray) -> Any:
        placed = self._torch.from_numpy(value.copy()).to(self._half)
        return placed.contiguous(memory_format=self._format)

    def _seen(self, image: Any) -> tuple[Any, list[Any]]:
        torch = self._torch
        with torch.autocast("cpu", torch.bfloat16) if self._autocast else nullcontext():
            found = network(torch, self._parameters, image.to(self._half), (*STYLE_LAYERS, CONTENT_LAYER))
            products = [_product(found[layer]) for layer in STYLE_LAYERS]
        grams = [
            product.float() / found[layer][0].numel()
            for layer, product in zip(STYLE_LAYERS, products, strict=True)
        ]
        return found[CONTENT_LAYER].float(), grams


def _product(features: Any) -> Any:
    """F F'."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2)


def torch_lbfgs(
    objective: TorchObjective, start: FloatImage, evaluations: int, watcher: Watcher, torch: Any
) -> None:
    """torch.optim.LBFGS as neural-style-pt sets it: 100 pairs, steps of 1 without a search, never settled."""
    image = objective.image(start).requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [image], lr=1.0, max_iter=evaluations, max_eval=evaluations + 1, history_size=_HISTORY,
        tolerance_change=-1, tolerance_grad=-1,
    )  # fmt: skip
    optimizer.step(_closure(objective, image, optimizer, watcher))


def torch_adam(
    objective: TorchObjective, start: FloatImage, evaluations: int, watcher: Watcher, torch: Any
) -> None:
    """torch.optim.Adam with neural-style-pt's rate of 1."""
    image = objective.image(start).requires_grad_(True)
    optimizer = torch.optim.Adam([image], lr=1.0)
    closure = _closure(objective, image, optimizer, watcher)
    for _ in range(evaluations):
        optimizer.step(closure)


def _closure(objective: TorchObjective, image: Any, optimizer: Any, watcher: Watcher) -> Callable[[], Any]:
    objective.evaluation(objective.picture(image))()  # what is made ready at the first
    watcher.begin()
    count = 0

    def closure() -> Any:
        nonlocal count
        optimizer.zero_grad()
        loss = objective.loss(image)
        loss.backward()
        count += 1
        watcher.seen(count, float(loss.detach()), lambda: objective.picture(image))
        return loss

    return closure
