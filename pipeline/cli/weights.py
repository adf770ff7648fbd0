"""`deepfusion weights`: list, download, verify."""

from __future__ import annotations

from pathlib import Path

from pipeline.progress.display import Display
from pipeline.progress.wording import spoken_bytes
from video.names import shell_line, shown


def listing() -> list[str]:
    """A line a source: name, whether it is here, size, where, licence."""
    from stylize.weights import describe_sources

    lines = []
    for source in describe_sources():
        state = {True: "here", False: "not here", None: "any file"}[source.present]
        state = "damaged" if source.problem else state
        size = spoken_bytes(source.size) if source.size else ""
        lines.append(f"{source.name:15} {state:9} {size:7} {source.where}  [{source.licence}]")
        if source.problem:
            lines.append(f"{'':15} {source.problem}")
    return lines


def is_damaged() -> bool:
    """Whether a network that should be here cannot be used."""
    from stylize.weights import describe_sources

    return any(source.problem for source in describe_sources())


def download(timeout: float, display: Display) -> str:
    """Fetch Keras' float32 original of the full network; gives the line to print."""
    from stylize.weights.download import download_vgg19

    path = download_vgg19(timeout=timeout, progress=display.download("Keras' VGG-19"))
    return f"Keras' float32 VGG-19 is at {shown(path)}; to use it: --weights {shell_line([str(path)])}"


def verify_line(path: Path, sha256: str | None) -> str:
    """Check a weights file; gives the line to print."""
    from stylize.weights import verify

    weights = verify(path, sha256=sha256)
    last = list(weights.layers)[-1]
    known = f", {weights.known_as}" if weights.known_as else ""
    taps = f" {weights.untapped}" if weights.untapped else ""
    what = f"{weights.name}{known}, {len(weights.layers)} layers up to {last}{taps}"
    return f"{shown(path)}: good: {what}, SHA-256 {weights.sha256}"
