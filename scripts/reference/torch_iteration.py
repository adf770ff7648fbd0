"""The loss and gradient of the default objective in PyTorch, which is optional; VGG-19 in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stylize.config import StylizeConfig
from stylize.layers import LAYERS, block_of
from stylize.types import FloatImage
from stylize.weights import Weights


def import_torch() -> Any | None:
    """PyTorch, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    return torch


def evaluation(
    torch: Any,
    config: StylizeConfig,
    weights: Weights,
    content: FloatImage,
    picture: FloatImage,
    style: FloatImage,
) -> Callable[[], float]:
    """Evaluates `picture` with relative losses and max pooling; gives the loss once the gradient is there."""
    parameters = {
        layer: (torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()), torch.from_numpy(bias.copy()))
        for layer, (kernel, bias) in weights.layers.items()
    }
    pictures = (torch.from_numpy(each.transpose(2, 0, 1)[None].copy()) for each in (content, picture, style))
    content_image, image, style_image = pictures
    with torch.no_grad():
        contents = activations(torch, config, parameters, content_image)
        styles = activations(torch, config, parameters, style_image)
    content_targets = {layer: contents[layer] for layer in config.content_layers}
    style_targets = {layer: gram_matrix(styles[layer]) for layer in config.style_layers}
    image.requires_grad_(True)

    def evaluate() -> float:
        found = activations(torch, config, parameters, image)
        loss: Any = config.tv_weight * mean_total_variation(image) if config.tv_weight else 0.0
        for layer, target in content_targets.items():
            share = config.content_weight * share_of(
                layer, config.content_layers, config.content_layer_weights
            )
            loss = loss + share * relative_squared_error(found[layer], target)
        for layer, target in style_targets.items():
            share = config.style_weight * share_of(layer, config.style_layers, config.style_layer_weights)
            loss = loss + share * relative_squared_error(gram_matrix(found[layer]), target)
        (gradient,) = torch.autograd.grad(loss, image)
        float(gradient[0, 0, 0, 0])
        return float(loss.detach())

    return evaluate


def share_of(layer: str, layers: Sequence[str], weights: Sequence[float]) -> float:
    """The weight of a layer within its term."""
    return weights[layers.index(layer)] if weights else 1.0 / len(layers)


def activations(
    torch: Any, config: StylizeConfig, parameters: Mapping[str, tuple[Any, Any]], images: Any
) -> dict[str, Any]:
    """Activations by layer, NCHW, as deep as the objective needs."""
    mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    return network(torch, parameters, images[:, [2, 1, 0]] * 255.0 - mean, config.layers)


def network(
    torch: Any, parameters: Mapping[str, tuple[Any, Any]], value: Any, layers: Sequence[str]
) -> dict[str, Any]:
    """VGG-19's activations as deep as `layers` need; `value` is BGR in 0..255 less the mean colour."""
    functional, found = torch.nn.functional, {}
    deepest = max(layers, key=LAYERS.index)
    for layer in LAYERS[: LAYERS.index(deepest) + 1]:
        if layer.endswith("conv1") and block_of(layer) > 1:
            value = functional.max_pool2d(value, 2, ceil_mode=True)
        kernel, bias = parameters[layer]
        value = functional.relu(functional.conv2d(value, kernel, bias, padding=1))
        found[layer] = value
    return found


def gram_matrix(features: Any) -> Any:
    """F F' over the number of positions."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def relative_squared_error(value: Any, target: Any) -> Any:
    """The squared error over the target's squared norm."""
    return ((value - target) ** 2).sum() / ((target**2).sum() + 1e-12)


def mean_total_variation(images: Any) -> Any:
    """The mean squared difference of neighbours."""
    right, down = images[..., 1:] - images[..., :-1], images[..., 1:, :] - images[..., :-1, :]
    return ((right**2).sum() + (down**2).sum()) / images.numel()
