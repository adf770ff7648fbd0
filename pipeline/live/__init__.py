"""The live page: a running job in the browser, on this machine only."""
