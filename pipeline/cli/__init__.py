"""The command line; nobody else knows click."""
