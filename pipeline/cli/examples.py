"""Examples for `--help`, command by command; a test runs every one of them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "image": (
        ("a photo in the manner of a painting", "deepfusion image photo.jpg --style painting.jpg -o out.png"),
        (
            "two paintings, larger strokes, the photo's own colours",
            "deepfusion image photo.jpg --style a.jpg:0.7 --style b.jpg:0.3 --style-scale 1.5 "
            "--preserve-color luminance -o out.png",
        ),
        (
            "how long it will take, and what it needs",
            "deepfusion image photo.jpg --style painting.jpg -o out.png --size 2048 --dry-run",
        ),
    ),
    "video": (
        ("a clip, with its sound", "deepfusion video clip.mp4 --style painting.jpg -o out.mp4"),
        (
            "first see what to expect, on six frames",
            "deepfusion video clip.mp4 --style painting.jpg -o out.mp4 --preview 6",
        ),
        (
            "fade from the original into the painting in two seconds",
            'deepfusion video clip.mp4 --style painting.jpg -o out.mp4 --keyframe "0 strength=0" '
            '--keyframe "00:02 strength=1"',
        ),
        ("a loop that stays one", "deepfusion video loop.mp4 --style painting.jpg --loop -o out.mp4"),
        ("a folder of numbered frames", "deepfusion video frames/ --fps 24 --style painting.jpg -o out.mp4"),
    ),
    "album": (
        (
            "every photo in every painting",
            "deepfusion album photos/ --style paintings/ -o out/",
        ),
        (
            "one painting a photo in turn, as WebP, with a contact sheet",
            "deepfusion album photos/ --style paintings/ --pair cycle --format webp "
            "--contact-sheet sheet.jpg -o out/",
        ),
        (
            "shared among two processes",
            "deepfusion album photos/ --style painting.jpg --workers 2 -o out/",
        ),
    ),
    "run": (
        ("do again what was saved with --save-settings", "deepfusion run job.toml"),
        ("the same into another file", "deepfusion run job.toml -o other.png"),
    ),
    "progress": (
        ("a movie of a run kept with --keep-run", "deepfusion progress out.png.run -o movie.mp4"),
        (
            "beside the original and the painting, with what it shows and a wipe at the end",
            "deepfusion progress out.png.run -o movie.mp4 --layout side --captions --wipe",
        ),
    ),
    "weights": (
        ("what is here", "deepfusion weights list"),
        ("fetch Keras' float32 original", "deepfusion weights download"),
        ("check a file of your own", "deepfusion weights verify vgg19.h5"),
    ),
    "score": (
        ("how much a clip flickers", "deepfusion score clip.mp4 out.mp4"),
        (
            "with the distance from the style, a line a frame",
            "deepfusion score clip.mp4 out.mp4 --style painting.jpg --csv frames.csv",
        ),
    ),
    "presets": (
        ("all of them", "deepfusion presets"),
        ("one, with the reason for every number", "deepfusion presets gatys"),
    ),
    "doctor": (
        ("what this machine has", "deepfusion doctor"),
        ("which painting makes the steadiest clip", "deepfusion doctor --style paintings/"),
    ),
    "demo": (("see it work", "deepfusion demo -o demo/"),),
}


def epilog(command: str) -> str:
    """The examples of a command as the end of its help, in click's notation: nothing is wrapped anew."""
    lines = ["\b", "Examples:"]
    for purpose, example in EXAMPLES[command]:
        words = example.split(" ")
        lines.append(f"  # {purpose}")
        line = "  "
        for word in words:
            if len(line) + len(word) > 94:
                lines.append(f"{line}\\")
                line = "      "
            line += f"{word} "
        lines.append(line.rstrip())
    return "\n".join(lines)
