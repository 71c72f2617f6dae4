"""``python -m basketwise``."""

from basketwise.cli import main

if __name__ == "__main__":
    main()
