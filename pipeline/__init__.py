"""Deep Fusion's jobs and command line: clips, albums, single pictures and movies of their progress.

From Python (docs/python.md): `stylize_image`, `stylize_clip` and `stylize_album` do what the commands do, and
`stylize_frames` stylizes arrays one from the other. Each name is loaded when it is first asked for; importing
this package loads nothing, for a command line that answers at once.
"""

__version__ = "0.1.0"

__all__ = [
    "Moved",
    "PipelineError",
    "Plan",
    "Report",
    "RunOptions",
    "StylizeError",
    "StylizedFrame",
    "UsageError",
    "VideoError",
    "__version__",
    "read_job",
    "run_job",
    "stylize_album",
    "stylize_clip",
    "stylize_frames",
    "stylize_image",
]

_HOMES = {
    "Moved": "pipeline.progress.events",
    "PipelineError": "pipeline.errors",
    "Plan": "pipeline.steps.estimate",
    "Report": "pipeline.progress.report",
    "RunOptions": "pipeline.settings.run_options",
    "StylizeError": "stylize.errors",
    "StylizedFrame": "pipeline.clip.temporal",
    "UsageError": "pipeline.errors",
    "VideoError": "video.errors",
    "read_job": "pipeline.settings.job_file",
    "run_job": "pipeline.api",
    "stylize_album": "pipeline.api",
    "stylize_clip": "pipeline.api",
    "stylize_frames": "pipeline.clip.temporal",
    "stylize_image": "pipeline.api",
}

TYPE_CHECKING = False  # the module of this name takes longer to load than all of this one
if TYPE_CHECKING:
    from pipeline.api import run_job, stylize_album, stylize_clip, stylize_image
    from pipeline.clip.temporal import StylizedFrame, stylize_frames
    from pipeline.errors import PipelineError, UsageError
    from pipeline.progress.events import Moved
    from pipeline.progress.report import Report
    from pipeline.settings.job_file import read_job
    from pipeline.settings.run_options import RunOptions
    from pipeline.steps.estimate import Plan
    from stylize.errors import StylizeError
    from video.errors import VideoError
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
