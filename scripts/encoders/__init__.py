"""Encoders: load, inspect, pretrain and trim Hugging Face checkpoints. Independent of corpora and spaCy pipelines."""
