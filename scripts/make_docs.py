"""Make the documents' pictures and the demo's media anew.

    python scripts/make_docs.py WHAT MEDIA ...      (WHAT --help says what it needs)

MEDIA is a folder with `photos`, `paintings` and `videos`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

MAKERS = {
    "pictures": "the README's pictures",
    "guide": "the pictures of docs/guide.md, by the commands it shows",
    "presets": "a sheet of every preset, and classroom's picture as it grows",
    "screenshots": "the guide's screenshots of the live page and of the reports",
    "demo": "the small clip, photos and paintings behind `deepfusion demo`",
}
"""What can be made: the modules of scripts/docs/."""


def main(arguments: list[str]) -> int:
    """Hand over to the maker that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parsers = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, text in MAKERS.items():
        parsers.add_parser(name, help=text, add_help=False)
    what = parser.parse_args(arguments[:1]).what
    importlib.import_module(f"scripts.docs.{what}").main(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
