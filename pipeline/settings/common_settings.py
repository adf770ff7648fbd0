"""The settings that jobs of every kind have besides those of the optimisation."""

from __future__ import annotations

from dataclasses import dataclass

from stylize.errors import ConfigError
from stylize.knobs import check_knobs, knob


@dataclass(frozen=True)
class JobSettings:
    """Settings that every job has."""

    size: int = knob(
        512, "Longer side of the result in pixels; a smaller original is not enlarged.", minimum=16
    )
    finish: int = knob(
        0,
        "Longer side of the finished result: what was optimised at --size is enlarged with the original's "
        "edges, and then optimised at this size for a few iterations, which give it the painting's own "
        "texture; much quicker than all of it at that size. At most the original's own size. 0 = not.",
        minimum=0,
    )
    finish_iterations: int = knob(
        6,
        "Iterations of that last optimisation. The first frame of a shot, from which the others go on, has "
        "three times as many.",
        minimum=1,
        maximum=1000,
    )
    backbone: str = knob(
        "vgg19",
        "Network, both in the package: the full vgg19; or vgg19-slim, rougher, in about a tenth of the time "
        "(a fifth where bfloat16 is computed).",
        choices=("vgg19", "vgg19-slim"),
        decides="network",
    )
    engine: str = knob(
        "optimize",
        "optimize = by optimisation; hub = in one pass by --hub-model: rougher, in a second.",
        choices=("optimize", "hub"),
    )
    hub_model: str = knob(
        "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2",
        "Model for --engine hub and --init hub: an address for tensorflow-hub, or a SavedModel's folder.",
        metavar="ADDRESS|FOLDER",
        path=lambda model: not model.startswith("https://"),
        decides="network",
        by_name=True,
    )
    strength: float = knob(
        1.0,
        "How strongly the style is applied, evenly from 0, the original, to 1.",
        minimum=0.0,
        maximum=1.0,
    )
    style_scale: float = knob(
        1.0,
        "Size of the strokes: the style pictures are enlarged or reduced by this factor.",
        minimum=0.05,
        maximum=20.0,
    )
    style_crop: float = knob(
        0.015,
        "Share of a style picture's width and height to leave out at every edge: photographs of paintings "
        "show their frame or bare canvas there, which comes back as a strip along the result's border.",
        minimum=0.0,
        maximum=0.4,
    )
    mask: tuple[str, ...] = knob(
        (),
        "Where a style goes: white = there, black or transparent = not. A picture, for a clip also a folder "
        "of frames or a clip, for an album also a folder of pictures of the photos' names. Again for the "
        "next --style; a style without one goes where the others do not, and where none goes it stays as it "
        "was.",
        metavar="PATH",
        multiple=True,
        path=True,
        decides="place",
    )
    mask_preserve: str = knob(
        "", "What stays as it was: white = there. Like --mask.", metavar="PATH", path=True, decides="place"
    )
    preserve_color: str = knob(
        "none",
        "luminance = keep the original's colours and take the style in brightness alone; histogram = give "
        "the style pictures the original's palette first (a clip's first frame's).",
        choices=("none", "luminance", "histogram"),
    )
    precision: str = knob(
        "auto",
        "mixed = convolutions in bfloat16, the rest in float32: faster where the hardware computes it, as "
        "good but for the last percent of long runs; auto = mixed there for the full vgg19, else float32.",
        choices=("auto", "float32", "mixed"),
    )
    memory: float = knob(
        0.0,
        "GiB that the job may take; a larger picture is evaluated in windows, exactly but slower. 0 = half "
        "of what the machine has.",
        minimum=0.0,
        maximum=1e6,
        decides="nothing",
    )
    threads: int = knob(
        0,
        "Threads of the optimisation, in each worker; 0 = one a core, or the worker's share of them. "
        "Another number rounds otherwise.",
        minimum=0,
        maximum=1024,
        decides="nothing",
    )
    weights: str = knob(
        "",
        "A weights file of your own, used in place of --backbone: .h5, .mat or .npz.",
        metavar="PATH",
        path=True,
        decides="network",
    )
    weights_sha256: str = knob(
        "", "The SHA-256 that the weights file must have.", metavar="HEX", decides="network"
    )

    def __post_init__(self) -> None:
        check_knobs(self)
        if self.finish and self.finish <= self.size:
            raise ConfigError(
                f"finish: {self.finish} must be larger than size, which is {self.size}; to have all of it "
                f"optimised at {self.finish}, give that as the size"
            )
        if self.finish and self.engine != "optimize":
            raise ConfigError(f"finish: is an optimisation; leave it out with engine {self.engine}")
