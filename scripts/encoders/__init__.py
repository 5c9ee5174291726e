"""Load, inspect, pretrain and trim Hugging Face checkpoints; nothing about corpora or pipelines."""
