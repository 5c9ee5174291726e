"""`python -m scripts`: every command of the project."""

import atexit
import gc

from .cli import run

if __name__ == "__main__":
    # torch, transformers and spaCy create a million objects that live to the end. By default Python looks
    # for garbage among them all the time as they are imported, and again at exit: more than one second of five
    # (bench/start.py).
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)
    run()
