"""``python -m basketwise``."""

from basketwise.cli import console

if __name__ == "__main__":
    console()
