"""Lets `python -m cli` run the command line where no script is installed."""

from cli.main import main

if __name__ == "__main__":
    main()
