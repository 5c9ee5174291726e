"""Code that runs where this project is not installed: it must not import from the rest of the project."""
