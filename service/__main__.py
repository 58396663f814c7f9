"""``python -m service`` is ``borough``."""

from service.cli import main

if __name__ == "__main__":
    main()
