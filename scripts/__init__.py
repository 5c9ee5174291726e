"""The project's commands; every step of ``project.yml`` is one of them.

This file is read before torch and the hub client, and sets what they read when they start.
"""

import os
import sys

# The project engine watches folders of code, and would take compiled files for changes in them.
sys.dont_write_bytecode = True
# Waiting OpenMP threads that spin instead of sleeping take the core from each other: on a busy
# 2-core machine a step becomes several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The tokenizer's threads and torch's would compete; batches are short.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# The hub client's Xet downloads have no timeout and do not resume.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
