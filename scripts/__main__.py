"""`python -m scripts`: every command of the project."""

import atexit
import gc

from .cli import run

if __name__ == "__main__":
    # torch, transformers and spaCy create hundreds of thousands of objects that live to the end. By
    # default Python looks for garbage among them again and again as they are imported, and once more at
    # exit: more than one second of five (bench/start.py).
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)
    run()
