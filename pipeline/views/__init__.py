"""Who looks on: the live page, the report, TensorBoard."""
