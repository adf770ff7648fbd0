"""The style transfer itself: arrays in, picture out.

The losses, the VGG-19 backbones and their weights, the optimisers and the `Stylizer` that joins them. It
knows nothing of files of pictures, of video, or of the command line.

    from stylize import Stylizer, StylizeConfig, load_weights

    stylizer = Stylizer(StylizeConfig(), [style], load_weights("vgg19"))
    picture = stylizer.stylize(content).picture

Each name is loaded when it is first asked for; importing this package loads nothing.
"""

__all__ = [
    "Anchor",
    "ConfigError",
    "Look",
    "NonFiniteError",
    "OutOfMemoryError",
    "Progress",
    "Result",
    "ShapeError",
    "StylizeConfig",
    "StylizeError",
    "Stylizer",
    "Weights",
    "WeightsError",
    "load_weights",
]

_HOMES = {
    "Anchor": "stylize.anchor",
    "ConfigError": "stylize.errors",
    "Look": "stylize.look",
    "NonFiniteError": "stylize.errors",
    "OutOfMemoryError": "stylize.errors",
    "Progress": "stylize.optimize",
    "Result": "stylize.result",
    "ShapeError": "stylize.errors",
    "StylizeConfig": "stylize.config",
    "StylizeError": "stylize.errors",
    "Stylizer": "stylize.stylizer",
    "Weights": "stylize.weights",
    "WeightsError": "stylize.errors",
    "load_weights": "stylize.weights",
}

TYPE_CHECKING = False  # the module of this name takes longer to load than all of this one
if TYPE_CHECKING:
    from stylize.anchor import Anchor
    from stylize.config import StylizeConfig
    from stylize.errors import (
        ConfigError,
        NonFiniteError,
        OutOfMemoryError,
        ShapeError,
        StylizeError,
        WeightsError,
    )
    from stylize.look import Look
    from stylize.optimize import Progress
    from stylize.result import Result
    from stylize.stylizer import Stylizer
    from stylize.weights import Weights, load_weights
else:

    def __getattr__(name):
        """A public name, on first use."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
