"""Tests, in the order of scripts/."""

import os

# Before torch is imported: with a thread per core, the processes that run side by side would wait for
# each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
