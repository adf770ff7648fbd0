"""The live page's server: for this machine only, and for no other page in its browser."""

from __future__ import annotations

import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import Forbidden, HTTPException, MethodNotAllowed, NotFound
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.settings.job import Job
from pipeline.views.live.watcher import LiveWatcher

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


ADDRESS = "127.0.0.1"

TOKEN_HEADER = "X-Deep-Fusion-Token"

_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/charts.js": ("charts.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

_PICTURE = re.compile(r"/(content|result|style|thumbnail)/(\d{1,15})\.jpg")

_LOCAL = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?", re.IGNORECASE)
"""Names of this machine; with any port, as ssh may carry ours to another one."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class LivePage:
    """The page as a WSGI application.

    A request under another host name is refused: no other site can get at the page by pointing its name here.
    One that changes something needs the token that only the page itself was given.

    Parameters
    ----------
    watcher
        Knows how the job stands, and stops it.
    """

    def __init__(self, watcher: LiveWatcher) -> None:
        self.token = secrets.token_urlsafe(24)
        self._run = secrets.token_hex(4)
        self._watcher = watcher
        self._deeds: dict[str, Callable[[], None]] = {"/stop": watcher.stop, "/continue": watcher.go_on}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            response: Any = self._answer(Request(environ))
        except HTTPException as error:
            response = error.get_response(environ)
        response.headers.update(_HEADERS)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if not _LOCAL.fullmatch(request.environ.get("HTTP_HOST", "")):
            raise Forbidden("This page answers under the name of its own machine only.")
        if request.method != "GET":
            given = request.headers.get(TOKEN_HEADER, "")
            if not secrets.compare_digest(given.encode(), self.token.encode()):
                raise Forbidden("The token of the page is missing.")
            return self._do(request)
        if request.path == "/state":
            return self._state(request)
        if request.path in _FILES:
            return self._file(*_FILES[request.path])
        return self._picture(request.path)

    def _do(self, request: Request) -> Response:
        if request.path not in self._deeds:
            raise NotFound
        if request.method != "POST":
            raise MethodNotAllowed(["POST"])
        self._deeds[request.path]()
        return Response(status=204)

    def _state(self, request: Request) -> Response:
        """How the job stands; 304 for a page that has it, with its pictures."""
        state = self._watcher.state
        for tag in request.if_none_match.as_set():
            run, _, version = tag.partition("-")
            if run == self._run and version.isdecimal() and state.seen(int(version)):
                return Response(status=304)
        version_now, text = state.as_json()
        response = Response(text, mimetype="application/json")
        response.set_etag(f"{self._run}-{version_now}")
        return response

    def _file(self, name: str, kind: str) -> Response:
        text = resources.files("pipeline.views.live").joinpath(name).read_text(encoding="utf-8")
        return Response(text.replace("{{ token }}", self.token), content_type=kind)

    def _picture(self, path: str) -> Response:
        from video.errors import VideoError

        found = _PICTURE.fullmatch(path)
        if found is None:
            raise NotFound
        try:
            data = self._watcher.state.picture(found[1], int(found[2]))
        except (VideoError, OSError):
            raise NotFound from None
        if data is None:
            raise NotFound
        return Response(data, mimetype="image/jpeg")


class _Silent(WSGIRequestHandler):
    """Logs nothing: the terminal is the job's."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def listening(port: int) -> socket.socket:
    """A socket that listens on this machine's own address; port 0 is any free one.

    Raises
    ------
    UsageError
        If the port is taken or not allowed.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_REUSEPORT"):  # not on Windows, where reusing an address means sharing it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
        listener.listen(32)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"--live {port}: the port cannot be used ({error.strerror}); "
            "give another one, or 0 for any free one"
        ) from None
    return listener


@contextmanager
def serving(app: LivePage, port: int) -> Iterator[int]:
    """Serve the page while the block runs, in threads that end with the program; gives the port."""
    with listening(port) as listener:
        server: BaseWSGIServer = make_server(
            ADDRESS, port, app, threaded=True, request_handler=_Silent, fd=listener.fileno()
        )
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="live page", daemon=True
    )
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def watching(job: Job, port: int, display: Display) -> Iterator[LiveWatcher]:
    """Show a job on the live page while the block does it.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    watcher = LiveWatcher(job, display)
    with serving(LivePage(watcher), port) as found:
        display.watchers.each.append(watcher)
        say = display.note if port else display.error  # a port that nobody chose has to be said
        say(f"live page: http://{ADDRESS}:{found}/")
        try:
            yield watcher
        except BaseException as error:
            watcher.fails(error)
            raise
        finally:
            display.watchers.each.remove(watcher)
            watcher.close()
