"""Using a trained pipeline: load it, annotate texts with it, count what it gets right."""
