"""`--report`: what a job came to as one page."""
