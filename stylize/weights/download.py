"""Fetching Keras' float32 VGG-19 into Keras' own cache: https, bounded in time, checked before it counts.

No job needs it: the package has the network. The file goes to a ``*.part`` beside its place, is checked, and
only then renamed. Nothing is fetched but by `download_vgg19`, for which the user has to ask.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylize.errors import DownloadError, WeightsError
from stylize.weights import cache
from stylize.weights.cache import (
    VGG19_FILE,
    accept,
    cache_path,
    cache_trouble,
    forget_record,
    is_offline,
)
from stylize.weights.files import fingerprint, looks_like_html

VGG19_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg19/{VGG19_FILE}"

Progress = Callable[[int, int | None], None]
"""Called with the bytes fetched so far and the bytes expected in all, if known."""

MINIMUM_RATE = 32 * 1024
"""Bytes a second, over `RATE_WINDOW` seconds, under which a download is given up."""
RATE_WINDOW = 30.0

_PLAIN_HTTP_HOSTS: frozenset[str] = frozenset()  # the tests put their own server on 127.0.0.1 here


def download_vgg19(
    *,
    timeout: float = 20.0,
    total: float = 600.0,
    progress: Progress | None = None,
    url: str = VGG19_URL,
) -> Path:
    """Keras' float32 VGG-19 in Keras' cache, fetched unless a good copy is there.

    Parameters
    ----------
    timeout
        Seconds to wait for the server's answer (name look-up and connection included), and for each
        further piece of data.
    total
        Seconds the whole download may take.
    progress
        Called after each piece.

    Raises
    ------
    DownloadError
        In one line: no network, no answer in time, a stall, a wrong size or hash (expected and got); or
        DEEPFUSION_OFFLINE forbids it.
    """
    target = cache_path()
    trouble = cache_trouble()
    if trouble is None:
        return target
    if is_offline():
        raise DownloadError(
            f"{trouble}, and DEEPFUSION_OFFLINE forbids to fetch it; unset it, or put a copy of {VGG19_URL}"
            " there; the package's own vgg19 needs neither"
        )
    _check_url(url)
    part = _part_file(target)
    try:
        _fetch(url, part, timeout, total, progress)
        _check_fetched(part, url)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    forget_record(target)
    accept(target)
    return target


def _part_file(target: Path) -> Path:
    """A new, empty ``*.part`` beside `target`; parts a day old are what a killed run left and go."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in target.parent.glob(f"{target.name}.*.part"):
            if time.time() - old.stat().st_mtime > 86_400:
                old.unlink(missing_ok=True)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        part.unlink(missing_ok=True)
        part.touch(exist_ok=False)
    except OSError as error:
        raise DownloadError(
            f"{target.parent}: cannot be written to ({error.strerror or error}); set KERAS_HOME elsewhere"
        ) from error
    return part


def _check_fetched(part: Path, url: str) -> None:
    with part.open("rb") as file:
        head = file.read(1024)
    if looks_like_html(head):
        raise DownloadError(f"{_host(url)}: a web page came instead of the weights; is a proxy between?")
    found = fingerprint(part)
    wanted = cache.VGG19_PIN
    if found.size != wanted.size:
        raise DownloadError(f"{_host(url)}: expected {wanted.size:,} bytes, got {found.size:,}; try again")
    expected, got = ("MD5 " + wanted.md5, "MD5 " + found.md5)
    if wanted.sha256 is not None and expected == got:
        expected, got = "SHA-256 " + wanted.sha256, "SHA-256 " + found.sha256
    if expected != got:
        raise DownloadError(f"{_host(url)}: not the known file: expected {expected}, got {got}; deleted")


# --- the network --------------------------------------------------------------------------------------------


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url


def _check_url(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _PLAIN_HTTP_HOSTS):
        raise DownloadError(f"{url}: refused, weights are fetched over https only")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects stay on https too."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _check_url(newurl)
        except DownloadError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, timeout: float) -> Any:
    """The server's answer, or DownloadError after `timeout` seconds.

    A socket's own time-out covers neither the name look-up nor several addresses tried in turn, so the
    request is made in a thread, which is left behind when it does not answer.
    """
    answers: queue.Queue[Any] = queue.Queue(1)
    given_up = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(url, headers={"User-Agent": "deep-fusion"})
        try:
            answer: Any = urllib.request.build_opener(_SafeRedirects()).open(request, timeout=timeout)
        except Exception as error:  # handed over to the waiting thread, whatever it is
            answer = error
        if given_up.is_set() and not isinstance(answer, Exception):
            answer.close()
        answers.put(answer)

    threading.Thread(target=ask, daemon=True, name="vgg19-download").start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        given_up.set()
        answer = TimeoutError()
    # The socket's own time-out may end first; it comes bare, or as the reason of an URLError.
    if isinstance(answer, TimeoutError) or isinstance(getattr(answer, "reason", None), TimeoutError):
        raise DownloadError(f"{_host(url)}: no answer in {timeout:g} seconds; check the network") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _fetch(url: str, part: Path, timeout: float, total: float, progress: Progress | None) -> None:
    """Copy what `url` gives into `part`, in bounded time and bounded size."""
    host = _host(url)
    try:
        with _open(url, timeout) as response, part.open("wb") as file:
            _copy(host, response, file, total, progress)
            file.flush()
            with contextlib.suppress(OSError):  # not every drive can; the hash tells what is whole
                os.fsync(file.fileno())
    except WeightsError:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"{host}: answered {error.code} {error.reason}; try again later") from error
    except TimeoutError as error:
        raise DownloadError(f"{host}: nothing came for {timeout:g} seconds; check the network") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise DownloadError(f"{host}: cannot be fetched ({reason}); check the network") from error


def _copy(host: str, response: Any, file: Any, total: float, progress: Progress | None) -> None:
    length = response.headers.get("Content-Length", "")
    expected = int(length) if length.isdecimal() else None
    start = window = time.monotonic()
    done = done_before = 0
    while chunk := response.read1(1 << 16):
        _write(file, chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, expected)
        now = time.monotonic()
        if now - start > total:
            raise DownloadError(f"{host}: not finished after {total:g} seconds ({done:,} bytes); given up")
        if now - window > RATE_WINDOW:
            if (done - done_before) / (now - window) < MINIMUM_RATE:
                raise DownloadError(f"{host}: slower than {MINIMUM_RATE // 1024} KiB a second; given up")
            window, done_before = now, done
        if done > cache.VGG19_PIN.size:
            raise DownloadError(f"{host}: more came than {cache.VGG19_PIN.size:,} bytes; given up")
    if expected is not None and done < expected:
        raise DownloadError(f"{host}: the connection ended after {done:,} of {expected:,} bytes; try again")


def _write(file: Any, chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise DownloadError(f"{file.name}: cannot be written ({error.strerror}); free some space") from error
