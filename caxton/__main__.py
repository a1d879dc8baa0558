"""`python -m caxton`: the command line, for who has this Python but no `caxton` on the path."""

from caxton.cli.main import main

if __name__ == "__main__":
    main()
