"""What can go wrong while styling pictures.

Every message is one line that says what is wrong, where, and how to mend it. `exit_code` is the
command's exit status: 2 for wrong use or bad input, 1 for something that failed.
"""


class StylizeError(Exception):
    """Any failure of the style transfer."""

    exit_code: int = 1


class ConfigError(StylizeError, ValueError):
    """A setting is unknown, out of range, or at odds with another."""

    exit_code: int = 2


class ShapeError(StylizeError, ValueError):
    """A picture or an array has the wrong shape or type."""

    exit_code: int = 2


class WeightsError(StylizeError):
    """A weight file is missing, damaged, or not what it should be."""

    exit_code: int = 2


class DownloadError(WeightsError):
    """The weights could not be downloaded, or what came is not what was asked for."""

    exit_code: int = 1


class NonFiniteError(StylizeError, ArithmeticError):
    """NaN or infinity appeared in a picture or in a loss."""

    exit_code: int = 1


class OutOfMemoryError(StylizeError, MemoryError):
    """A picture does not fit in memory, however small its windows."""

    exit_code: int = 1
