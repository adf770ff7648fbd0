"""What may be asked of a job; reads nothing heavy."""
