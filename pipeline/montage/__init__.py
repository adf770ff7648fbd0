"""Pictures made of pictures: progress movies, contact sheets, and the snapshots they show."""
