"""Other people's ways of doing the same, to measure against."""
