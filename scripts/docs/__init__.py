"""Makers of the documents' pictures and of the demo's media; make_docs.py runs them."""
