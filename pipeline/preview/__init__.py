"""What to expect of a job, at a glance."""
