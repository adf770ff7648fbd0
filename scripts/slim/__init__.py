"""The slim network: trained, packed, judged. docs/networks.md tells the recipe."""
