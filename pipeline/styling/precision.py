"""Which precision the convolutions run in: half of it where the hardware computes it natively."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.settings.job import Job
from stylize.processor import flags

if TYPE_CHECKING:
    from stylize.weights import Weights


_TENSOR_CORES = (8, 0)
"""From this compute capability on, graphics cards multiply bfloat16 in tensor cores (NVIDIA Ampere, 2020)."""

_PROCESSOR_FLAGS = {"avx512_bf16", "amx_bf16"}


def settled(job: Job, weights: Weights) -> Job:
    """The job with the precision it will run in where that is left open.

    It belongs to what decides a job's pictures, so it must be known before the run folder is opened. The slim
    network's convolutions are so narrow that half the precision gains little.
    """
    if job.settings.precision != "auto":
        return job
    mixed = is_mixed(job.settings.precision, weights)
    return replace(job, settings=replace(job.settings, precision="mixed" if mixed else "float32"))


def is_mixed(precision: str, weights: Weights) -> bool:
    """Whether these weights run in bfloat16 under a setting of precision."""
    if precision == "auto":
        return weights.name != "vgg19-slim" and is_native()
    return precision == "mixed"


def suits_full_network() -> bool:
    """Whether the full network is quick enough here for a look: a graphics card, or bfloat16."""
    from pipeline.machine import has_card

    return has_card() or is_native()


def is_native() -> bool:
    """Whether what TensorFlow will run on computes bfloat16 itself: it only loses time where it does not."""
    from pipeline.machine import load_tensorflow

    load_tensorflow()
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    if cards:
        details = [tf.config.experimental.get_device_details(card) for card in cards]
        return all(one.get("compute_capability", (0, 0)) >= _TENSOR_CORES for one in details)
    return bool(_PROCESSOR_FLAGS & flags())
