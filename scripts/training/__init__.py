"""Loggers, readers and callbacks for training; a trained pipeline loads without them."""

from . import prepare, readers, tensorboard, unfinished

__all__ = ["prepare", "readers", "tensorboard", "unfinished"]
