"""Measurements behind docs/benchmarks.md: each prints a Markdown table, and exits 1 where a bar is missed."""
