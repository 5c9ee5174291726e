"""What runs where this project is not: it imports nothing of it."""
