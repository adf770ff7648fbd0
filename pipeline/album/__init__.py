"""Albums: many photos in many styles."""
