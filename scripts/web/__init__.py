"""Pipelines to try in a browser, and as a JSON API."""
