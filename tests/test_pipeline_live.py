"""The live page: what it says, whom it answers, and that work rests and goes on as it is asked to."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_job import FakeClip, a_job, a_progress, quiet
from PIL import Image
from pipeline_runs import QUICK, done, refused
from werkzeug.test import Client, TestResponse

from pipeline.progress.display import Work
from pipeline.progress.events import Begun, Ended
from pipeline.progress.report import Report
from pipeline.progress.signals import SIGNALS, Stopped, check, hold, listen, patiently, release, rested
from pipeline.views.live.curves import POINTS, ThinnedCurve
from pipeline.views.live.pictures import SIDE, STRIP_HEIGHT, Throttle
from pipeline.views.live.server import TOKEN_HEADER, LivePage, listening, serving, watching
from pipeline.views.live.state import STRIP
from pipeline.views.live.watcher import LiveWatcher
from video.images import write_image

LOCAL = {"Host": "127.0.0.1:8686"}


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


LINGER = "pipeline.views.live.watcher._LINGER"


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ended job waits for its page only a moment; here nobody looks."""
    monkeypatch.setattr(LINGER, 0.05)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watcher(photo: Path, style: Path, clock: Clock) -> LiveWatcher:
    return LiveWatcher(a_job(photo, style, size=320, cuts="none"), quiet()[0], clock)


@pytest.fixture
def page(watcher: LiveWatcher) -> LivePage:
    return LivePage(watcher)


def get(page: LivePage, path: str, **headers: str) -> TestResponse:
    return Client(page).get(path, headers={**LOCAL, **headers})


def state(page: LivePage) -> dict[str, Any]:
    answer = get(page, "/state")
    assert answer.status_code == 200
    return json.loads(answer.text)


def opened(answer: TestResponse) -> Image.Image:
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    return Image.open(io.BytesIO(answer.data))


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10.0
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_page_and_what_belongs_to_it_is_served(page: LivePage) -> None:
    kinds = {"/": "text/html", "/page.css": "text/css", "/page.js": "text/javascript"}
    kinds |= {"/charts.js": "text/javascript", "/icon.svg": "image/svg+xml"}
    for path, kind in kinds.items():
        answer = get(page, path)
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "https://" not in answer.text
    assert page.token in get(page, "/").text
    assert get(page, "/page.css").text.count("{{") == 0


@pytest.mark.parametrize("path", ["/nothing", "/../setup.py", "/page.html", "/result/x.jpg", "/result/1.jpg"])
def test_what_is_not_there_is_not_found(page: LivePage, path: str) -> None:
    assert get(page, path).status_code == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8686", "localhost", "LOCALHOST:9000"])
def test_this_machines_names_are_answered(page: LivePage, host: str) -> None:
    assert get(page, "/state", Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8686", "127.0.0.1.evil.example", "localhost.", "", "localhost:8686@evil",
     "0.0.0.0:8686", "localhost:8686\x00"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/state", "/result/1.jpg"])
def test_other_names_are_refused(page: LivePage, host: str, path: str) -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": host, "wsgi.url_scheme": "http"}
    environ |= {"SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8686"}
    given: list[str] = []

    def begins(status: str, *_: object) -> Callable[[bytes], object]:
        given.append(status)
        return bytes

    page({**environ, "wsgi.input": io.BytesIO()}, begins)
    assert given == ["403 FORBIDDEN"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
@pytest.mark.parametrize("token", [None, "", "wrong", "wröng"])
def test_nothing_is_done_without_the_token(
    page: LivePage, watcher: LiveWatcher, method: str, token: str | None
) -> None:
    headers = LOCAL if token is None else {**LOCAL, TOKEN_HEADER: token}
    for path in ("/stop", "/continue", "/state", "/"):
        answer = Client(page).open(path, method=method, headers=headers)
        assert answer.status_code == 403
    assert watcher.state.phase == "preparing"
    check()


def test_with_the_token_only_what_there_is_to_do_is_done(page: LivePage) -> None:
    headers = {**LOCAL, TOKEN_HEADER: page.token}
    assert Client(page).post("/elsewhere", headers=headers).status_code == 404
    assert Client(page).put("/stop", headers=headers).status_code == 405
    assert Client(page).post("/stop", headers={**headers, "Host": "evil.example"}).status_code == 403
    assert get(page, "/stop").status_code == 404


def test_tokens_are_each_pages_own(watcher: LiveWatcher) -> None:
    assert LivePage(watcher).token != LivePage(watcher).token


def test_the_state_says_what_the_job_is(page: LivePage, watcher: LiveWatcher, photo: Path) -> None:
    before = state(page)
    assert (before["phase"], before["job"]["network"]) == ("preparing", "")
    job = a_job(photo, photo.parent / "blue.png", size=320, cuts="none")
    watcher.job_begins(job, "vgg19-slim")
    found = state(page)
    assert found["phase"] == "running"
    assert found["job"]["settings"] == [{"name": "size", "value": "320"}, {"name": "cuts", "value": "none"}]
    assert found["job"]["content"] == "photo.png"
    assert found["job"]["made"] == "out.mp4"
    assert found["job"]["network"] == "vgg19-slim"
    (shown,) = found["job"]["styles"]
    assert shown["name"] == "blue.png"
    assert opened(get(page, f"/style/{shown['version']}.jpg")).size == (64, 64)
    assert get(page, "/style/1.jpg").status_code == 404


def test_losses_become_curves(page: LivePage, watcher: LiveWatcher) -> None:
    picture = np.zeros((48, 64, 3), np.float32)
    watcher.picture_begins(Begun("frame 0", picture))
    for iteration, level in ((0, 1), (1, 1), (1, 0), (2, 0)):
        watcher.iterated(
            a_progress(iteration, picture, level, style=4.0 - iteration, tv=float("nan")), picture.copy
        )
    curve = state(page)["curve"]
    assert curve["x"] == [0, 1, 2]
    assert curve["series"] == {"total": [None] * 3, "style": [4.0, 3.0, 2.0], "tv": [None] * 3}
    assert curve["levels"] == [[0, 1], [1, 0]]
    watcher.picture_begins(Begun("frame 1", picture))
    assert state(page)["curve"]["x"] == []


def test_pictures_are_shown_with_their_original_and_fit(page: LivePage, watcher: LiveWatcher) -> None:
    content = np.full((600, 1200, 3), 0.25, np.float32)
    watcher.picture_begins(Begun("large", content))
    assert state(page)["picture"]["content"] is None
    watcher.iterated(a_progress(0, content), lambda: np.full((300, 600, 3), 0.75, np.float32))
    found = state(page)["picture"]
    assert (found["name"], found["width"], found["height"]) == ("large", 1200, 600)
    original = opened(get(page, f"/content/{found['content']}.jpg"))
    result = opened(get(page, f"/result/{found['result']}.jpg"))
    assert (original.size, result.size) == ((SIDE, SIDE // 2), (600, 300))
    assert np.asarray(original).mean() == pytest.approx(64, abs=1)
    assert np.asarray(result).mean() == pytest.approx(191, abs=1)


def test_a_picture_that_is_not_finite_is_not_there(page: LivePage, watcher: LiveWatcher) -> None:
    watcher.iterated(a_progress(0, None), lambda: np.full((8, 8, 3), np.nan, np.float32))  # type: ignore[arg-type]
    assert get(page, "/result/1.jpg").status_code == 404


def test_finished_pictures_go_into_the_strip(
    page: LivePage, watcher: LiveWatcher, tmp_path: Path, photo: Path
) -> None:
    content = np.zeros((192, 256, 3), np.float32)
    watcher.picture_begins(Begun("frame 1", content))
    file = tmp_path / "1.png"
    write_image(file, content + 0.5)
    watcher.picture_ends(Ended("frame 0", tmp_path / "gone.png", {}, found=True))
    watcher.picture_ends(Ended("frame 1", file, {"style": 1.0, "total": 2.0}, 30, 1.5, 0.01, cut=True))
    watcher.job_ends(Report("video", "out.mp4", frames=2))
    found = state(page)
    assert [entry["picture"] for entry in found["strip"]] == [False, True]
    assert found["strip"][0]["found"]
    assert found["frames"]["series"] == {
        "loss": [None, 2.0], "seconds": [None, 1.5], "warping error": [None, 0.01],
    }  # fmt: skip
    assert found["frames"]["cuts"] == [1]
    assert opened(get(page, "/thumbnail/1.jpg")).size == (128, STRIP_HEIGHT)
    assert get(page, "/thumbnail/0.jpg").status_code == 404
    assert found["picture"]["name"] == "frame 1"
    assert np.asarray(opened(get(page, "/result/0.jpg"))).mean() == pytest.approx(128, abs=1)
    watcher.close()


def test_a_frame_that_is_done_again_is_in_the_strip_once(
    watcher: LiveWatcher, page: LivePage, tmp_path: Path
) -> None:
    for number, loss in ((0, 3.0), (1, 2.0), (0, 1.0)):
        watcher.picture_ends(Ended(f"frame {number}", tmp_path / "gone.png", {"total": loss}, 1, 0.1))
    found = state(page)
    assert [(entry["name"], entry["loss"]) for entry in found["strip"]] == [
        ("frame 1", 2.0),
        ("frame 0", 1.0),
    ]
    assert found["frames"]["count"] == 2
    watcher.close()


def test_the_strip_keeps_the_last(watcher: LiveWatcher, page: LivePage, tmp_path: Path) -> None:
    for number in range(STRIP + 7):
        watcher.picture_ends(Ended(f"frame {number}", tmp_path / "gone.png", {"total": 1.0}, 1, 0.1))
    found = state(page)
    assert (len(found["strip"]), found["strip"][0]["name"]) == (STRIP, "frame 7")
    assert found["frames"]["count"] == STRIP + 7
    watcher.close()


def test_unchanged_states_are_not_sent_again(page: LivePage, watcher: LiveWatcher) -> None:
    tag = get(page, "/state").headers["ETag"]
    assert get(page, "/state", **{"If-None-Match": tag}).status_code == 304
    assert get(LivePage(watcher), "/state", **{"If-None-Match": tag}).status_code == 200  # another run's
    watcher.warned("careful")
    answer = get(page, "/state", **{"If-None-Match": tag})
    assert (answer.status_code, json.loads(answer.text)["warnings"]) == (200, ["careful"])
    assert answer.headers["ETag"] != tag


def test_work_is_shown(page: LivePage, watcher: LiveWatcher) -> None:
    work = Work(40)
    work.advance(10, "iteration 10/40")
    watcher.work_moves(work.standing)
    assert state(page)["work"] == {"share": 0.25, "text": "iteration 10/40", "left": ""}


def test_the_end_is_told(page: LivePage, watcher: LiveWatcher) -> None:
    watcher.job_ends(Report("video", "out.mp4", "vgg19-slim", 3, 12.0, 90))
    watcher.job_ends(Report("video", "out.mp4", "vgg19-slim", 3, 12.0, 90))
    found = state(page)
    assert (found["phase"], found["work"]["share"]) == ("done", 1.0)
    assert found["told"] == "out.mp4  (3 frames, 12 s, 90 evaluations, vgg19-slim)"
    watcher.stop()
    assert state(page)["phase"] == "done"


@pytest.mark.parametrize(
    ("error", "phase", "told"),
    [
        (Stopped(2), "stopped", "The same command goes on from here."),
        (ValueError("no room"), "failed", "no room"),
        (MemoryError(), "failed", "MemoryError"),
    ],
)
def test_an_early_end_is_told(
    page: LivePage, watcher: LiveWatcher, error: BaseException, phase: str, told: str
) -> None:
    watcher.job_ends(None)
    watcher.fails(error)
    assert (state(page)["phase"], state(page)["told"]) == (phase, told)


def test_refreshes_are_a_second_apart_and_a_hundredth_of_the_time(clock: Clock) -> None:
    throttle = Throttle(clock)
    assert throttle.due()
    began, clock.now = clock.now, clock.now + 0.004  # cheap: once a second
    throttle.did(began)
    clock.now += 0.99
    assert not throttle.due()
    clock.now += 0.02
    assert throttle.due()
    began, clock.now = clock.now, clock.now + 0.05  # dear: a hundred times what it took
    throttle.did(began)
    throttle.cost(0.02)
    clock.now += 6.9
    assert not throttle.due()
    clock.now += 0.2
    assert throttle.due()


def test_pictures_are_asked_for_only_when_they_are_due(watcher: LiveWatcher, clock: Clock) -> None:
    asked = []

    def picture() -> np.ndarray:
        asked.append(clock.now)
        clock.now += 0.03
        return np.zeros((8, 8, 3), np.float32)

    for iteration in range(200):
        watcher.iterated(a_progress(iteration, np.zeros((8, 8, 3), np.float32)), picture)
        clock.now += 0.1
    spent = 0.03 * len(asked)
    assert len(asked) > 3
    assert spent / (clock.now - 100.0) < 0.015  # the first one comes at once


def test_curves_are_thinned_and_keep_the_latest() -> None:
    curve = ThinnedCurve()
    for x in range(10_000):
        curve.add(x, {"loss": 1.0 / (x + 1)})
    found = curve.as_json()
    assert POINTS / 2 <= len(found["x"]) <= POINTS + 1
    assert (found["x"][0], found["x"][-1]) == (0, 9999)
    assert found["x"] == sorted(set(found["x"]))
    assert found["series"]["loss"][-1] == pytest.approx(1e-4)


def test_what_is_begun_again_is_forgotten() -> None:
    curve = ThinnedCurve()
    for x in (0, 1, 2, 0, 1):
        curve.add(x, {"loss": float(x)})
    assert curve.as_json() == {"x": [0, 1], "series": {"loss": [0.0, 1.0]}}


def test_held_work_rests_until_it_is_released() -> None:
    told: list[bool] = []
    passed = threading.Event()
    before = rested()
    hold(told.append)

    def work() -> None:
        check()
        passed.set()

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: told == [True])
    assert not passed.wait(0.3)
    release()
    thread.join(5.0)
    assert passed.is_set()
    assert told == [True, False]
    assert rested() - before >= 0.3
    check()
    assert told == [True, False]


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
def test_a_signal_ends_work_that_is_held() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    listen()
    told: list[bool] = []
    hold(told.append)
    try:
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(Stopped) as stopped, patiently():
            check()
        assert stopped.value.exit_code == 143
        assert told == [True]
    finally:
        release()
        for number, handler in before.items():
            signal.signal(number, handler)


def test_time_at_rest_is_no_speed(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr("pipeline.progress.display.time.perf_counter", clock)
    resting = [0.0]
    monkeypatch.setattr("pipeline.progress.display.rested", lambda: resting[0])
    work = Work(100)
    for _ in range(5):
        clock.now += 1.0
        work.advance(1.0, "")
    left = work.left
    clock.now += 600.0
    resting[0] = 600.0
    assert work.left == left == "about 1 min 35 s left"
    clock.now += 1.0
    work.advance(1.0, "")
    assert work.left == "about 1 min 34 s left"


@pytest.mark.slow
def test_the_page_stops_a_job_and_lets_it_go_on(photo: Path, style: Path, tmp_path: Path) -> None:
    display, said = quiet()
    job = a_job(photo, style)
    watcher = LiveWatcher(job, display)
    page = LivePage(watcher)
    clip = FakeClip(watcher, job, tmp_path, frames=3, pause=0.01)
    thread = threading.Thread(target=clip.run)
    headers = {**LOCAL, TOKEN_HEADER: page.token}
    thread.start()
    until(lambda: clip.iterations > 3)
    assert Client(page).post("/stop", headers=headers).status_code == 204
    until(lambda: watcher.state.phase == "paused")
    before = clip.iterations
    time.sleep(0.2)
    assert clip.iterations == before
    assert said.getvalue() == "stopped by the live page; go on there, or end the job with Ctrl-C\n"
    assert Client(page).post("/continue", headers=headers).status_code == 204
    until(lambda: clip.iterations > before)
    thread.join()
    assert said.getvalue().endswith("going on, by the live page\n")
    assert state(page)["phase"] == "done"
    watcher.close()


def test_a_stop_taken_back_in_time_stops_nothing(watcher: LiveWatcher) -> None:
    watcher.state.becomes("running")
    phases = []
    for press in (watcher.stop, watcher.go_on):
        press()
        phases.append(watcher.state.phase)
    assert phases == ["stopping", "running"]
    check()


def test_an_ended_job_waits_for_an_open_page_only(
    watcher: LiveWatcher, page: LivePage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LINGER, 3.0)
    watcher.job_ends(Report("video", "out.mp4"))
    began = time.monotonic()
    watcher.close()
    assert time.monotonic() - began < 1.0
    tag = get(page, "/state").headers["ETag"]
    threading.Timer(0.3, lambda: get(page, "/state", **{"If-None-Match": tag})).start()
    began = time.monotonic()
    watcher.close()
    assert 0.25 < time.monotonic() - began < 2.5


def test_a_taken_port_is_one_line(photo: Path, style: Path, tmp_path: Path) -> None:
    with listening(0) as taken:
        port = taken.getsockname()[1]
        said = refused("image", photo, "--style", style, "-o", tmp_path / "out.png", f"--live={port}")
    assert said.startswith(f"--live {port}: the port cannot be used (")
    assert said.endswith("give another one, or 0 for any free one")


@pytest.mark.parametrize("port", ["65536", "photo.jpg", "1.5"])
def test_no_port_is_refused(port: str, photo: Path, style: Path) -> None:
    said = refused("image", photo, "--style", style, "-o", "out.png", f"--live={port}")
    assert f"{port!r} is no port from 0 to 65535" in said


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_the_option_needs_no_number(photo: Path, style: Path, tmp_path: Path) -> None:
    ran = done("image", photo, "--style", style, "-o", tmp_path / "out.png", *QUICK, "--live", "--dry-run")
    assert "live page: http" not in ran.err  # a plan needs none


def test_a_job_is_served_while_it_runs(photo: Path, style: Path) -> None:
    display, said = quiet()
    with watching(a_job(photo, style), 0, display) as watcher:
        assert display.watchers.each == [watcher]
        address = said.getvalue().split()[-1]
        assert said.getvalue() == f"live page: {address}\n"
        port = int(address.rstrip("/").rpartition(":")[2])
        assert address == f"http://127.0.0.1:{port}/"
        with socket.create_connection(("127.0.0.1", port), timeout=5.0) as request:
            request.sendall(b"GET /state HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert request.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert display.watchers.each == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5.0)


def test_a_job_that_fails_says_so_and_closes(photo: Path, style: Path) -> None:
    display, _ = quiet()
    with pytest.raises(ValueError, match="broken"), watching(a_job(photo, style), 0, display) as watcher:
        watcher.stop()
        raise ValueError("broken")
    assert (watcher.state.phase, display.watchers.each) == ("failed", [])
    check()  # not held any more


def test_two_jobs_have_two_ports(watcher: LiveWatcher) -> None:
    with serving(LivePage(watcher), 0) as first, serving(LivePage(watcher), 0) as second:
        assert first != second


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_job_is_done_with_the_page(photo: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    ran = done("image", photo, "--style", style, "-o", output, *QUICK, "--live", "0")
    assert ran.err.startswith("live page: http://127.0.0.1:")
    assert output.exists()


def test_without_the_page_no_server_is_loaded() -> None:
    code = "import sys, pipeline.cli.main, pipeline.api; print('werkzeug' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert ran.stdout == "False\n"


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_port_that_nobody_chose_is_said_even_quietly(photo: Path, style: Path, tmp_path: Path) -> None:
    common = ("image", photo, "--style", style, "-o", tmp_path / "o.png", *QUICK, "-q", "--overwrite")
    assert "live page: http://127.0.0.1:" in done(*common, "--live", "0").err
    said = done(*common, "--live", "0", "--dry-run").err
    assert said == ""
