"""What `spacy train` needs beside spaCy: a logger and a callback. No trained pipeline needs it."""

from . import prepare, tensorboard

__all__ = ["prepare", "tensorboard"]
