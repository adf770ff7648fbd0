"""How many threads OpenCV runs in."""

import cv2


def use_threads(count: int) -> None:
    """Let OpenCV use at most so many threads in this process."""
    cv2.setNumThreads(count)
