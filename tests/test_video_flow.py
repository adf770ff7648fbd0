"""Optical flow, warping and reliability on motion that is known exactly; the warping error."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from video.errors import InputError
from video.flow import FlowEstimator, carried, leaves_border, reliability, warp
from video.images import FloatImage
from video.metrics import ConsistencyMeter, masked_error

HEIGHT, WIDTH = 96, 128


def texture(height: int, width: int, seed: int = 0) -> FloatImage:
    """Smooth noise that shows its motion everywhere."""
    noise = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def panned(dx: int, dy: int = 0) -> tuple[FloatImage, FloatImage]:
    """Two windows of one texture: what the first shows lies (dx, dy) further in the second."""
    large = texture(HEIGHT + 40, WIDTH + 40)
    return (
        np.ascontiguousarray(large[20 : 20 + HEIGHT, 20 : 20 + WIDTH]),
        np.ascontiguousarray(large[20 - dy : 20 - dy + HEIGHT, 20 - dx : 20 - dx + WIDTH]),
    )


def constant(dx: float, dy: float) -> np.ndarray:
    return np.tile(np.array([dx, dy], np.float32), (HEIGHT, WIDTH, 1))


@pytest.mark.parametrize("quality", ["fast", "medium", "fine"])
@pytest.mark.parametrize("move", [(5, 0), (0, -4), (3, 2)])
def test_a_pan_is_found_in_direction_and_length(quality: str, move: tuple[int, int]) -> None:
    flow = FlowEstimator(quality).flow(*panned(*move))
    inner = flow[16:-16, 16:-16]
    allowed = 0.25 if quality == "fast" else 0.1
    assert np.abs(np.median(inner, axis=(0, 1)) - move).max() < allowed
    assert np.abs(inner - move).mean() < 2 * allowed


def test_a_still_pair_has_no_flow_and_is_reliable_everywhere() -> None:
    frame = texture(HEIGHT, WIDTH)
    flow, back = FlowEstimator().both(frame, frame)
    assert np.abs(flow).max() == 0
    assert reliability(flow, back).min() == 1


def test_warping_undoes_a_known_pan_exactly() -> None:
    first, second = panned(5, -3)
    moved = warp(second, constant(5, -3))
    assert np.array_equal(moved[3:, :-5], first[3:, :-5])
    sharp = warp(second, constant(5, -3), sharp=True)
    assert np.abs(sharp[3:, :-5] - first[3:, :-5]).max() < 1e-6


def test_no_motion_changes_nothing() -> None:
    frame = texture(HEIGHT, WIDTH)
    assert np.array_equal(warp(frame, constant(0, 0)), frame)
    assert np.array_equal(warp(frame, constant(0, 0), sharp=True), frame)


def test_sharp_interpolation_loses_less_by_half_pixels_and_stays_in_range() -> None:
    frame = (texture(HEIGHT, WIDTH) > 0.5).astype(np.float32)
    once = constant(0.5, 0.0)
    kept = [warp(warp(frame, once, sharp=sharp), -once, sharp=sharp) for sharp in (True, False)]
    losses = [np.mean((one - frame)[8:-8, 8:-8] ** 2) for one in kept]
    assert losses[0] < 0.7 * losses[1]
    assert 0.0 <= kept[0].min() <= kept[0].max() <= 1.0


def test_flow_of_large_frames_is_in_their_own_pixels() -> None:
    large = texture(700, 1000)
    first, second = large[:600, :900], large[8:608, 6:906]
    flow = FlowEstimator("fast").flow(np.ascontiguousarray(first), np.ascontiguousarray(second))
    assert np.abs(np.median(flow, axis=(0, 1)) - (-6, -8)).max() < 0.3


def test_what_leaves_the_frame_is_unreliable() -> None:
    flow = constant(10, 0)
    mask = reliability(flow, -flow, soft=False)
    assert mask[:, -10:].max() == 0
    assert mask[:, :-10].min() == 1


def test_a_tremor_at_the_border_counts_by_what_stays_inside() -> None:
    flow = constant(0.3, 0.0)
    assert reliability(flow, -flow, soft=False).min() == 1
    soft = reliability(flow, -flow)
    assert np.allclose(soft[:, -1], 0.7, atol=1e-5)
    assert soft[:, :-1].min() == 1


def test_a_jump_that_settling_made_is_no_boundary() -> None:
    flow, edges = constant(0, 0), constant(1.0, 0)
    flow[:, WIDTH // 2 :, 0] = 1.0
    assert reliability(flow, -flow)[:, WIDTH // 2 - 1 : WIDTH // 2 + 1].max() == 0
    assert reliability(flow, -flow, edges=edges)[:, :-4].min() == 1


def test_uncovered_background_is_unreliable_and_the_rest_is_not() -> None:
    background, patch = texture(HEIGHT, WIDTH), texture(40, 40, seed=5)
    before, after = background.copy(), background.copy()
    before[30:70, 30:70], after[30:70, 38:78] = patch, patch
    # From the later frame to the earlier one, as a clip's next frame looks back.
    flow, back = FlowEstimator("fine").both(after, before)
    mask = reliability(flow, back, after, soft=False)
    assert mask[34:66, 31:36].mean() < 0.35  # uncovered by the patch
    assert mask[:, 90:].mean() > 0.95
    assert mask[40:60, 48:68].mean() > 0.9  # the patch itself


def test_flow_that_disagrees_with_the_way_back_is_unreliable() -> None:
    flow = constant(4, 0)
    assert reliability(flow, constant(4, 0), soft=False)[:, :-4].max() == 0


def test_a_motion_boundary_is_unreliable() -> None:
    flow = constant(0, 0)
    flow[:, WIDTH // 2 :, 0] = 3.0
    back = np.where(np.arange(WIDTH)[None, :, None] >= WIDTH // 2 + 3, [-3.0, 0.0], [0.0, 0.0])
    mask = reliability(flow, np.broadcast_to(back, flow.shape).astype(np.float32).copy(), soft=False)
    assert mask[:, WIDTH // 2 - 1 : WIDTH // 2 + 1].max() == 0
    assert mask[:, : WIDTH // 2 - 2].min() == 1


def test_flat_regions_are_not_thrown_away() -> None:
    frame = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    frame[:, : WIDTH // 2] = texture(HEIGHT, WIDTH // 2)
    flow, back = constant(0, 0), constant(1.0, 0)  # there and back differ by a pixel everywhere
    without, with_rule = reliability(flow, back, soft=False), reliability(flow, back, frame, soft=False)
    assert without.max() == 0
    assert with_rule[4:-4, WIDTH // 2 + 4 : -4].min() == 1
    assert with_rule[4:-4, 4 : WIDTH // 2 - 4].mean() < 0.5


def test_frames_that_agree_along_the_flow_make_it_reliable_and_others_do_not() -> None:
    frame = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    flow = constant(0, 0)
    flow[:, WIDTH // 2 :, 0] = 3.0  # a jump in the middle of a bare wall
    darker = np.where(np.arange(WIDTH)[None, :, None] > WIDTH // 2, 0.2, frame).astype(np.float32)
    assert reliability(flow, -flow, frame)[:, WIDTH // 2 - 1 : WIDTH // 2 + 1].max() == 0
    assert reliability(flow, -flow, frame, frame)[:, :-8].min() == 1
    assert reliability(flow, -flow, frame, darker)[:, WIDTH // 2 - 1 : WIDTH // 2 + 1].max() == 0
    assert reliability(flow, -flow, frame, frame)[:, -2:].max() == 0  # outside is outside


def test_what_leaves_the_border_for_the_inside() -> None:
    still, inward = constant(0, 0), constant(4, 0)  # 4 pixels to the left from frame to frame
    assert not leaves_border(still, 3).any()
    found = leaves_border(inward, 3)
    assert found[3:-3, -7:-3].all()
    assert not found[3:-3, 3:-7].any()
    assert not found[:, -3:].any()  # still at the border


def test_whole_values_are_carried_whole() -> None:
    ages = np.arange(WIDTH, dtype=np.uint8)[None].repeat(HEIGHT, axis=0)
    assert np.array_equal(carried(ages, constant(3.3, 0))[:, :-4], ages[:, 3:-1])


def test_soft_weights_never_exceed_the_hard_ones() -> None:
    flow, back = constant(0, 0), constant(0, 0)
    back[:, WIDTH // 2 :, 1] = 4.0  # the right half does not lead home
    hard, soft = reliability(flow, back, soft=False), reliability(flow, back)
    assert hard[:, WIDTH // 2 :].max() == 0
    assert np.all(soft <= hard)
    assert 0 < soft[50, WIDTH // 2 - 1] < 1


def test_unknown_quality_is_named() -> None:
    with pytest.raises(InputError, match="'best'; choose from fast, medium, fine"):
        FlowEstimator("best")


# --- the warping error --------------------------------------------------------------------------------------


def test_the_error_is_nothing_for_a_picture_that_moves_along() -> None:
    contents, styled = panned(4), tuple(1.0 - picture for picture in panned(4))
    meter = ConsistencyMeter()
    assert meter.feed(contents[0], styled[0]) is None
    found = meter.feed(contents[1], styled[1])
    assert found is not None
    assert found.error < 1e-4
    assert found.floor < 1e-4
    assert 0.9 < found.visible <= 1
    assert abs(found.motion - 4) < 0.3


def test_the_error_grows_when_the_picture_stays_behind_or_goes_the_wrong_way() -> None:
    contents = panned(4)
    errors = []
    for outputs in (panned(4), panned(0), panned(-4)):
        meter = ConsistencyMeter()
        meter.feed(contents[0], outputs[0])
        found = meter.feed(contents[1], outputs[1])
        assert found is not None
        errors.append(found.error)
    assert errors[0] < 0.05 * errors[1]
    assert errors[1] < errors[2]


def test_nothing_is_compared_across_a_shot() -> None:
    meter = ConsistencyMeter()
    frame = texture(HEIGHT, WIDTH)
    meter.feed(frame, frame)
    meter.begin_shot()
    assert meter.feed(frame, frame) is None


def test_frames_of_two_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        ConsistencyMeter().feed(texture(32, 32), texture(32, 30))


def test_the_masked_error_by_hand() -> None:
    mask = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    one = np.zeros((2, 2, 3), np.float32)
    other = one.copy()
    other[0, 0], other[0, 1] = 0.5, 1.0
    assert masked_error(one, other, mask) == pytest.approx(0.125)
    assert masked_error(one, other, 0 * mask) == 0.0
