"""Presets as TOML files, read as package data: each holds only what differs from the defaults."""
