"""Jobs that are killed, starved and lied to, and files of every kind: docs/reliability.md has the tables."""
