"""What people look at: displaCy pages with the scores on top."""
