"""Encoders: Hugging Face checkpoints, made, cut and looked into. Knows nothing of corpora or spaCy pipelines."""
