"""The weights of the two backbones: the package's own files beside this one, and what reads any other.

`load_weights` is the door: it takes the name of a backbone or a file. The modules: `sources` (which weights
there are, what they must be, which to use), `files`, `readers` and `checks` (formats, and what must hold),
`cache` and `download` (Keras' float32 original, fetched only when asked for). Importing this loads NumPy and
no reader.
"""

from stylize.layers import LAYERS
from stylize.weights.checks import WIDTHS
from stylize.weights.sources import (
    EMBEDDED,
    SourceInfo,
    Weights,
    choose_weights,
    describe_sources,
    embedded_path,
    load_weights,
    verify,
)

__all__ = [
    "EMBEDDED",
    "LAYERS",
    "WIDTHS",
    "SourceInfo",
    "Weights",
    "choose_weights",
    "describe_sources",
    "embedded_path",
    "load_weights",
    "verify",
]
