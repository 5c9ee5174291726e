"""Pages for people to look at: scores, then displaCy's drawings."""
