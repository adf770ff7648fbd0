"""Whether files made to open other files, or to call a server, are refused without doing either.

    python scripts/torture/hostile.py

Playlists, scripts and aliases, named like clips and pictures, point at a secret file and at a server on
this machine. The commands run on them under strace: a row fails where the secret was opened, anything was
connected to, the server was reached, the exit status is not 2, or a traceback was printed. The first rows are
the control: ffmpeg without our options on the same files must be caught. Exits 1 if any row fails.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PIL import Image

from scripts import tables
from video.tools import file_url, find_ffmpeg, run_ffmpeg

ROOT = Path(__file__).resolve().parents[2]
SECRET = "not-for-you"
"""Part of the name of every file that must not be opened."""

SECONDS = 120
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
DASH = (
    "<?xml version='1.0'?>\n<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' "
    "mediaPresentationDuration='PT1S'><Period><AdaptationSet mimeType='video/mp4'><Representation id='1' "
    "bandwidth='1' width='64' height='48'><BaseURL>{target}</BaseURL><SegmentBase indexRange='0-9'/>"
    "</Representation></AdaptationSet></Period></MPD>\n"
)
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n{extra}#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"
SVG = "<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'><image href='{target}'/></svg>\n"
EPS = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n({target}) (r) file\n"


def hostile_files(folder: Path, port: int) -> list[Path]:
    """Write every hostile file into `folder`, beside the secrets; the result is what to run on."""
    source = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=0.5", "-pix_fmt", "yuv420p"]
    run_ffmpeg([*source, str(folder / "plain.mp4")])
    shutil.copy(folder / "plain.mp4", folder / f"{SECRET}.mp4")
    (folder / f"{SECRET}.txt").write_text("nobody may read this\n")
    text, clip, web = folder / f"{SECRET}.txt", f"{SECRET}.mp4", f"http://127.0.0.1:{port}/{SECRET}.ts"
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{web}"\n'
    contents = {
        "list.ffconcat.mp4": f"ffconcat version 1.0\nfile {clip}\n",
        "list.web.avi": f"ffconcat version 1.0\nfile {web}\n",
        "list.text.mkv": f"ffconcat version 1.0\nfile {text}\n",
        "playlist.m3u8": HLS.format(extra="", target=clip),
        "playlist.file.mp4": HLS.format(extra="", target=f"file://{text}"),
        "playlist.web.avi": HLS.format(extra="", target=web),
        "playlist.key.ts": HLS.format(extra=key, target=clip),
        "session.sdp.mp4": SDP.format(port=port),
        "manifest.web.mp4": DASH.format(target=web),
        "manifest.file.webm": DASH.format(target=clip),
        "drawing.png": SVG.format(target=text),
        "drawing.eps.jpg": EPS.format(target=text),
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    (folder / "alias.mov").write_bytes(with_alias((folder / "plain.mp4").read_bytes(), folder / clip))
    return [folder / name for name in (*contents, "alias.mov")]


def with_alias(movie: bytes, target: Path) -> bytes:
    """Make a movie say that its pictures lie in another file: QuickTime's data reference by alias."""
    path = str(target).encode()
    record = bytes(10) + bytes([4]) + b"disk".ljust(27, b"\0") + bytes(12)
    name = target.name.encode()
    record += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + b"\0\1\0\1" + bytes(16)
    record += b"\0\2" + len(path).to_bytes(2, "big") + path + bytes(len(path) % 2) + b"\xff\xff\0\0"
    alias = (12 + len(record)).to_bytes(4, "big") + b"alis" + bytes(4) + record
    old = (12).to_bytes(4, "big") + b"url \0\0\0\1"
    grown = bytearray(movie)
    at = movie.index(old)
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):  # each holds the one before
        start = movie.rindex(box, 0, at) - 4
        size = int.from_bytes(movie[start : start + 4], "big") + len(alias) - len(old)
        grown[start : start + 4] = size.to_bytes(4, "big")
    return bytes(grown[:at]) + alias + bytes(grown[at + len(old) :])


@contextmanager
def server() -> Iterator[tuple[int, list[str]]]:
    """Listen on a free port; yields its number and a list that gets a line for every connection."""
    reached: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, address = listener.accept()
                except OSError:
                    return
                reached.append(str(address))
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1], reached
        listener.shutdown(socket.SHUT_RDWR)


def traced(command: list[str], folder: Path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a command under strace; what it did that it must not do comes with it."""
    log = folder / "strace.log"
    tracer = ["strace", "-f", "-qq", "-s", "4096", "-e", "trace=openat,connect", "-o", str(log)]
    # No look for weights either, so that every connection counts.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DEEPFUSION_OFFLINE": "1"}
    whole = ["timeout", str(SECONDS), *tracer, *command]
    done = subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True)
    calls = log.read_text(errors="replace").splitlines()
    opened = [call for call in calls if re.search(rf'openat\([^"]*"[^"]*{SECRET}[^"]*"', call)]
    connected = [call for call in calls if re.search(r"connect\(.*AF_INET", call)]
    return done, opened + connected


def commands(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands to run on a hostile file, with a name for each."""
    program = [sys.executable, "-m", "pipeline.cli"]
    style, common = str(path.parent / "style.png"), ["--iterations", "1", "--overwrite"]
    if path.suffix in {".png", ".jpg"}:
        yield "image", [*program, "image", str(path), "--style", style, "-o", "out.png", *common]
        yield "style", [*program, "image", style, "--style", str(path), "-o", "out.png", *common]
        return
    yield "video", [*program, "video", str(path), "--style", style, "-o", "out.mp4", *common]
    yield "score", [*program, "score", str(path), str(path)]
    yield "score output", [*program, "score", str(path.parent / "plain.mp4"), str(path)]


def faults(done: subprocess.CompletedProcess[str], forbidden: list[str], reached: list[str]) -> list[str]:
    """What is wrong with a run; nothing for a refusal as it should be."""
    wrong = [call.split(" ", 1)[-1][:120] for call in forbidden]
    wrong += [f"the server was reached from {address}" for address in reached]
    wrong += [f"exit status {done.returncode}"] if done.returncode != 2 else []
    wrong += ["a traceback"] if "Traceback" in done.stderr else []
    return wrong


def control(folder: Path) -> list[tuple[str, list[str]]]:
    """Prove that trap and baits work: ffmpeg follows a list as it is, and an alias when it is told to."""
    rows = []
    for bait, options in [
        ("list.ffconcat.mp4", []),
        ("alias.mov", ["-enable_drefs", "1", "-use_absolute_path", "1"]),
    ]:
        given = [*options, "-i", file_url(folder / bait)]
        command = [str(find_ffmpeg().path), "-nostdin", "-v", "error", *given, "-f", "null", "-"]
        caught = traced(command, folder)[1]
        rows.append((bait, [] if caught else ["the opening of what it points to was not seen"]))
    return rows


def main() -> int:
    """Print the table; 1 when a row failed."""
    if shutil.which("strace") is None:
        print("strace is not installed; on Debian and Ubuntu: apt-get install strace")
        return 1
    failed = 0
    tables.head("file", "command", "result", texts=3)
    with tempfile.TemporaryDirectory() as name, server() as (port, reached):
        folder = Path(name)
        files = hostile_files(folder, port)
        Image.linear_gradient("L").save(folder / "style.png")
        for bait, wrong in control(folder):
            failed += bool(wrong)
            tables.row(bait, "ffmpeg alone", "; ".join(wrong) or "caught, as it must be")
        for path in files:
            for label, command in commands(path):
                reached.clear()
                done, forbidden = traced(command, folder)
                wrong = faults(done, forbidden, reached)
                failed += bool(wrong)
                last = (done.stderr.strip().splitlines() or [""])[-1].replace(str(folder), "")
                result = f"FAILED: {'; '.join(wrong)}" if wrong else f"refused: {last}"
                tables.row(path.name, label, result)
    print(f"\n{failed} rows failed" if failed else "\nnothing was opened, nothing connected to")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
