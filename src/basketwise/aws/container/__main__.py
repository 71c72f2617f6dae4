"""``python -m basketwise.aws.container processing|train|serve|evaluate``."""

import sys

from basketwise.aws.container.stopping import exit_on_sigterm, exit_until_handled

if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        exit_until_handled()
    else:
        exit_on_sigterm()
    # Not before: it takes its time.
    from basketwise.aws.container.command import main
    from basketwise.importing import wait_passively
    from basketwise.memory import pool_memory

    if sys.argv[1:2] != ["serve"]:
        pool_memory()
        wait_passively()
    sys.exit(main())
