"""What the project's configs and trained pipelines need: spacy train mine.cfg --code scripts/code.py

spaCy executes this file on its own, from any working directory, without the package it belongs to.
"""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import scripts.training.augment  # noqa: E402
import scripts.training.batches  # noqa: E402
import scripts.training.prepare  # noqa: E402
import scripts.training.readers  # noqa: E402
import scripts.training.stream  # noqa: E402
import scripts.training.tensorboard  # noqa: E402
import scripts.wheel.components  # noqa: E402
import scripts.wheel.onnx  # noqa: E402, F401
