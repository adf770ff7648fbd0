"""The error tree of the video package.

Every message is one line that says what went wrong, where, and how to mend it. ``exit_code`` is what a
command line should exit with: 2 for usage or bad input, 1 for work that failed.
"""


class VideoError(Exception):
    """Base of everything this package raises on purpose."""

    exit_code: int = 1


class KindError(VideoError):
    """A file of a kind that ffmpeg knows but that is not opened here."""


class InputError(VideoError, ValueError):
    """A file or value given by the user cannot be used: missing, empty, text, no video track."""

    exit_code: int = 2


class StillError(InputError):
    """A picture where a clip is wanted."""


class UnnumberedError(InputError):
    """A picture in a folder of frames that has no number."""


class MovingError(InputError):
    """A clip where a picture is wanted."""


class ToolError(VideoError):
    """ffmpeg is missing, too old, or lacks a feature that the work needs."""

    exit_code: int = 2


class DecodeError(VideoError):
    """Reading a clip failed after it had been accepted."""


class EncodeError(VideoError):
    """Writing a clip or a picture failed, a full disk included."""
