"""`python -m pipeline.cli`."""

from pipeline.cli.entry import main

main()
