"""Deep Fusion's jobs and command line: clips, albums, single pictures and movies of their progress."""

__version__ = "0.1.0"
