"""The environment of the tests, set before torch is imported."""

import gc
import os

# Test processes run side by side. With a thread per core in each, threads would spin while they wait
# for a core: training a minuscule checkpoint then takes up to five times the CPU time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As in scripts/__main__.py.
gc.set_threshold(10_000)
