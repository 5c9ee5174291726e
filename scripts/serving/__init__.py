"""Using a trained pipeline: load it, predict a split, score the predictions."""
