"""Code that runs without this project, and so imports nothing from the rest of it."""
