"""Clips: frames stylized one from the other."""
