"""What training needs beside spaCy: loggers and a callback. No trained pipeline needs it."""

from . import prepare, tensorboard, unfinished

__all__ = ["prepare", "tensorboard", "unfinished"]
