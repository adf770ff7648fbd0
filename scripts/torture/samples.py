"""Clips and photos of many kinds, each made on the spot by ffmpeg, Pillow, or from another one's bytes."""

from __future__ import annotations

import io
import shlex
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from video.tools import file_url, run_ffmpeg

SIDE = 64
PICTURE = f"-f lavfi -i testsrc2=s={SIDE}x48:r=10:d=0.8"
TONE = "-f lavfi -i sine=d=0.8:sample_rate=48000"
X264 = "-c:v libx264 -pix_fmt yuv420p"
BOTH = f"{PICTURE} {TONE}"
PHONE = f"{BOTH} {X264} -c:a aac"
HDR = "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
X265 = "-c:v libx265 -x265-params log-level=none"
WEB_PAGE = b"<!DOCTYPE html><html>404</html>"

Maker = Callable[[Path], None]


@dataclass(frozen=True)
class Sample:
    """A file to be made, what it is, and whether there is anything in it to be stylized."""

    name: str
    what: str
    make: Maker
    good: bool = True


def holds(data: bytes) -> Maker:
    """A maker of a file with these bytes."""

    def make(path: Path) -> None:
        path.write_bytes(data)

    return make


def edited(make: Maker, edit: Callable[[bytes], bytes]) -> Maker:
    """A maker that changes the bytes of what another has made."""

    def change(path: Path) -> None:
        make(path)
        path.write_bytes(edit(path.read_bytes()))

    return change


# --- clips --------------------------------------------------------------------------------------------------


def clip(arguments: str) -> Maker:
    """A maker that runs ffmpeg with `arguments` and the file as its output."""

    def make(path: Path) -> None:
        done = run_ffmpeg([*shlex.split(arguments), "-y", file_url(path)], timeout=60)
        if not done.ok:
            raise SystemExit(f"{path.name} could not be made: {done.reason}")

    return make


def turned_clip(path: Path) -> None:
    """A clip whose header says that it is to be turned."""
    level = path.with_name("level.mp4")
    clip(PHONE)(level)
    clip(f"-display_rotation 90 -i {shlex.quote(file_url(level))} -c copy")(path)
    level.unlink()


def unknown_sound(data: bytes) -> bytes:
    """An MP4 whose second sound track is of a codec that nobody knows."""
    place = data.rindex(b"mp4a")
    return data[:place] + b"apac" + data[place + 4 :].replace(b"esds", b"free", 1)


def hole(data: bytes) -> bytes:
    """A tenth of the bytes lost behind the first third."""
    third, lost = len(data) // 3, len(data) // 10
    return data[:third] + bytes(lost) + data[third + lost :]


def words(path: Path) -> None:
    """A clip with subtitles, chapters and an attachment."""
    text, chapters = path.with_name("words.srt"), path.with_name("chapters.txt")
    text.write_text("1\n00:00:00,100 --> 00:00:00,500\nHello\n")
    chapter = "[CHAPTER]\nTIMEBASE=1/1000\nSTART={}\nEND={}\ntitle={}\n"
    chapters.write_text(
        ";FFMETADATA1\n" + chapter.format(0, 400, "One") + chapter.format(400, 800, "Two"),
    )
    inputs = " ".join(f"-i {shlex.quote(file_url(one))}" for one in (text, chapters))
    attached = f"-attach {shlex.quote(file_url(text))} -metadata:s:t mimetype=text/plain"
    clip(f"{BOTH} {inputs} -map 0 -map 1 -map 2 -map_chapters 3 {attached} {X264} -c:a aac")(path)
    text.unlink()
    chapters.unlink()


def with_cover(path: Path) -> None:
    """Sound with a picture that is no clip."""
    cover = path.with_name("cover-picture.jpg")
    picture().save(cover)
    inputs = f"{TONE} -i {shlex.quote(file_url(cover))}"
    clip(f"{inputs} -map 0 -map 1 -c:a aac -c:v mjpeg -disposition:v:0 attached_pic")(path)
    cover.unlink()


def animated_webp(path: Path) -> None:
    """Eight frames of one colour each that are shown for no time."""
    frames = [Image.new("RGB", (SIDE, 48), (30 * number, 90, 200 - 20 * number)) for number in range(8)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=0)


def source(size: str, rate: int = 10) -> str:
    """A moving test picture of another size."""
    return f"-f lavfi -i testsrc2=s={size}:r={rate}:d=0.8"


OLD_PHONE = f"{source('176x144')} -f lavfi -i sine=d=0.8:sample_rate=8000"
STILLS = "-f lavfi -i testsrc2=s=640x480:r=1:d=2"
SURROUND = "-f lavfi -i anoisesrc=d=0.8:r=96000,aformat=channel_layouts=7.1"
FIELDS = "-vf tinterlace=interleave_top,fieldorder=tff -c:v mpeg2video -flags +ildct+ilme -r 25"

CLIPS = (
    Sample("phone.mp4", "H.264 and AAC", clip(PHONE)),
    Sample("hevc.mov", "HEVC, as telephones record", clip(f"{BOTH} {X265} -tag:v hvc1 -c:a aac")),
    Sample("vp9.webm", "VP9 and Opus", clip(f"{BOTH} -c:v libvpx-vp9 -c:a libopus")),
    Sample("av1.mp4", "AV1", clip(f"{BOTH} -c:v libsvtav1 -c:a aac")),
    Sample("camera.avi", "Motion JPEG and PCM", clip(f"{BOTH} -c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le")),
    Sample("xvid.avi", "MPEG-4 and MP3", clip(f"{BOTH} -c:v mpeg4 -c:a libmp3lame")),
    Sample("old.3gp", "H.263 and AMR", clip(f"{OLD_PHONE} -c:v h263 -c:a libopencore_amrnb -ac 1")),
    Sample("dvd.vob", "MPEG-2 and AC-3", clip(f"{BOTH} -r 25 -c:v mpeg2video -c:a ac3 -f dvd")),
    Sample("flash.flv", "Sorenson and MP3", clip(f"{BOTH} -c:v flv -c:a libmp3lame -ar 44100")),
    Sample("windows.wmv", "WMV and WMA", clip(f"{BOTH} -c:v wmv2 -c:a wmav2")),
    Sample("theora.ogv", "Theora and Vorbis", clip(f"{BOTH} -c:v libtheora -c:a libvorbis")),
    Sample("stream.ts", "a transport stream, beginning after 1.4 s", clip(PHONE)),
    Sample("avchd.m2ts", "AVCHD", clip(f"{BOTH} {X264} -c:a ac3")),
    Sample("tape.dv", "DV", clip(f"{source('720x576', 25)} {TONE} -target pal-dv")),
    Sample("studio.mxf", "MXF", clip(f"{BOTH} -c:v mpeg2video -r 25 -c:a pcm_s16le")),
    Sample(
        "prores.mov", "ProRes, 10 bits", clip(f"{BOTH} -c:v prores_ks -pix_fmt yuv422p10le -c:a pcm_s24le")
    ),
    Sample(
        "dnx.mov",
        "DNxHR",
        clip(f"{source('256x144')} -c:v dnxhd -profile:v dnxhr_sq -pix_fmt yuv422p"),
    ),
    Sample("lossless.mkv", "FFV1 and FLAC", clip(f"{BOTH} -c:v ffv1 -c:a flac")),
    Sample("bare.h264", "a stream without a container", clip(f"{PICTURE} {X264}")),
    Sample("pipe.y4m", "YUV4MPEG", clip(f"{PICTURE} -pix_fmt yuv420p")),
    Sample("loop.gif", "a GIF", clip(PICTURE)),
    Sample("loop.apng", "an animated PNG", clip(f"{PICTURE} -plays 0")),
    Sample("loop.webp", "an animated WebP whose frames have no time", animated_webp),
    Sample("turned.mp4", "a telephone held upright", turned_clip),
    Sample(
        "uneven.mkv",
        "every third frame missing: variable rate",
        clip(f"{BOTH} -vf \"select='mod(n,3)'\" -fps_mode passthrough {X264} -c:a aac"),
    ),
    Sample("anamorphic.mp4", "pixels of 4:3", clip(f"{BOTH} -vf setsar=4/3 {X264} -c:a aac")),
    Sample("odd.mkv", "65x49, 4:4:4", clip(f"{source('65x49')} -c:v libx264 -pix_fmt yuv444p")),
    Sample("fields.mpg", "interlaced", clip(f"{source('128x96', 50)} {FIELDS}")),
    Sample("hdr.mp4", "HDR10", clip(f"{source('128x96')} -vf {HDR} {X265}")),
    Sample(
        "clear.webm",
        "VP9 with transparency",
        clip(f"{PICTURE} -vf format=yuva420p,colorchannelmixer=aa=0.5 -c:v libvpx-vp9 -pix_fmt yuva420p"),
    ),
    Sample("late.mp4", "pictures half a second after the sound", clip(f"-itsoffset 0.5 {PHONE}")),
    Sample(
        "languages.mkv",
        "two languages, 5.1 and mono",
        clip(f"{BOTH} -map 0:v -map 1 -map 1 -metadata:s:a:0 language=deu {X264} -c:a:0 ac3 -ac:a:0 6"),
    ),
    Sample("words.mkv", "subtitles, chapters, an attachment", words),
    Sample(
        "unknown-sound.mp4",
        "a second sound track that nobody can decode",
        edited(clip(f"{BOTH} -map 0:v -map 1 -map 1 {X264} -c:a aac"), unknown_sound),
    ),
    Sample(
        "motion-photo.mp4",
        "two large stills before the clip itself",
        clip(f"{STILLS} {BOTH} -map 0:v -map 1:v -map 2:a -r:v:0 1 {X264} -c:a aac"),
    ),
    Sample(
        "fragments.mp4",
        "fragments without an index",
        clip(f"{PHONE} -movflags frag_keyframe+empty_moov+default_base_moof"),
    ),
    Sample("surround.mkv", "7.1 at 96 kHz", clip(f"{PICTURE} {SURROUND} {X264} -c:a pcm_s24le")),
    Sample(
        "telegraph.mkv",
        "sound of 4 kHz",
        clip(f"{PICTURE} -f lavfi -i sine=d=0.8:sample_rate=4000 {X264} -c:a pcm_s16le"),
    ),
    Sample("single.mp4", "one frame", clip(f"{PICTURE} -frames:v 1 {X264}")),
    Sample(
        "begun-late.ts",
        "a recording that begins without a key frame",
        edited(clip(f"{PHONE} -g 4"), lambda data: data[188 * 24 :]),
    ),
    Sample(
        "cut-short.mkv",
        "its end is missing",
        edited(clip(f"{PHONE} -g 3"), lambda data: data[: -len(data) // 3]),
    ),
    Sample("hole.ts", "a hole in its middle", edited(clip(f"{PHONE} -g 3"), hole)),
    Sample("sound.mp4", "no pictures", clip(f"{TONE} -c:a aac"), good=False),
    Sample("cover.mp4", "sound with a cover picture", with_cover, good=False),
    Sample("empty.mp4", "empty", holds(b""), good=False),
    Sample("page.mp4", "a web page", holds(WEB_PAGE), good=False),
    Sample(
        "playlist.mp4", "a playlist", holds(b"#EXTM3U\n#EXTINF:1,\nphone.mp4\n#EXT-X-ENDLIST\n"), good=False
    ),
)


# --- photos -------------------------------------------------------------------------------------------------


def picture(mode: str = "RGB", size: tuple[int, int] = (SIDE, 48)) -> Image.Image:
    """A picture with something in it."""
    across, down = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    colours = np.stack((across, down, 255 - across), axis=-1).astype(np.uint8)
    return Image.fromarray(colours).convert(mode)


def photo(mode: str = "RGB", size: tuple[int, int] = (SIDE, 48), **options: Any) -> Maker:
    """A maker of a photo in a mode of Pillow's; the name decides the format."""
    return lambda path: picture(mode, size).save(path, **options)


def turned(orientation: int) -> Maker:
    """A maker of a photo that says how it was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return photo(exif=exif.tobytes())


def deep(path: Path) -> None:
    """Sixteen bits of grey."""
    values = np.linspace(0, 65535, SIDE * 48).reshape(48, SIDE).astype(np.uint16)
    Image.fromarray(values).save(path)


def enormous(data: bytes) -> bytes:
    """A PNG that says that it is 30000 by 30000."""
    header = data[12:16] + struct.pack(">II", 30000, 30000) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def heic(path: Path) -> None:
    """A telephone's photo."""
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture()).save(buffer)
    path.write_bytes(buffer.getvalue())


BROKEN_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01"
"""A block that ends in the middle of an entry."""

PHOTOS = (
    Sample("plain.jpg", "JPEG", photo()),
    *(
        Sample(f"turned-{number}.jpg", f"EXIF orientation {number}", turned(number))
        for number in (3, 6, 8, 9)
    ),
    Sample("print.jpg", "CMYK", photo("CMYK")),
    Sample("grey.jpeg", "grey JPEG", photo("L")),
    Sample("LOUD.JPG", "capital letters", photo()),
    Sample("layers.png", "transparency", photo("RGBA")),
    Sample("palette.png", "a palette", photo("P")),
    Sample("fax.png", "black and white", photo("1")),
    Sample("deep.png", "16 bits of grey", deep),
    Sample("scan.tif", "TIFF, LZW", photo(compression="tiff_lzw")),
    Sample("pages.tiff", "several pages", photo(save_all=True, append_images=[picture()])),
    Sample("old.bmp", "BMP", photo()),
    Sample("film.webp", "WebP", photo()),
    Sample("new.avif", "AVIF", photo()),
    Sample("phone.heic", "HEIC", heic),
    Sample("map.jp2", "JPEG 2000", photo()),
    Sample("unix.ppm", "PPM", photo()),
    Sample("dance.gif", "an animated GIF", photo(save_all=True, append_images=[picture("L").convert("RGB")])),
    Sample("both.mpo", "two pictures of a stereo camera", photo(save_all=True, append_images=[picture()])),
    Sample("wide.png", "25:1: its shorter side is too small", photo("RGB", (400, 16)), good=False),
    Sample("dot.png", "one pixel", photo("RGB", (1, 1)), good=False),
    Sample("wrong-name.png", "a JPEG", lambda path: picture().save(path, "JPEG")),
    Sample("bad-exif.jpg", "damaged EXIF", photo(exif=BROKEN_EXIF)),
    Sample("fünf ①² 'x' $(y).jpg", "an unusual name", photo()),
    Sample("short.jpg", "cut short", edited(photo(), lambda data: data[: len(data) // 2]), good=False),
    Sample("nothing.jpg", "empty", holds(b""), good=False),
    Sample("page.jpg", "a web page", holds(WEB_PAGE), good=False),
    Sample("drawing.png", "SVG", holds(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), good=False),
    Sample("bomb.png", "says that it is 30000x30000", edited(photo(), enormous), good=False),
)
