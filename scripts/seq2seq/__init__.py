"""Encoder-decoders: translate with one, train one that restores punctuation and capitals."""
