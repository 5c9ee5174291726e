"""`python -m scripts`: every command of the project."""

from .cli import run

if __name__ == "__main__":
    run()
