"""`python -m inft_tui` is `inft-tui`."""

from inft_tui.cli import main

if __name__ == "__main__":
    main()
