"""The demo: a client that walks a real model through the whole workflow, forbidden shortcuts included."""
