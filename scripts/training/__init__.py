"""Loggers and callbacks for training; a trained pipeline loads without them."""

from . import prepare, tensorboard, unfinished

__all__ = ["prepare", "tensorboard", "unfinished"]
