"""Annotating corpora of any size: units of work, whose parts are whole or absent, and engines for them."""
