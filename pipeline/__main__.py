"""`python -m pipeline`."""

from pipeline.cli.entry import main

main()
