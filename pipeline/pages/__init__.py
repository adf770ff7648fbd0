"""Pages to look at in a browser: one HTML file each, with everything it shows inside."""
