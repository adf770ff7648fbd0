"""What all jobs do around their work."""
