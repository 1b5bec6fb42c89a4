"""inft-tui: starts, shows and follows runs from a terminal. It never owns a run and never imports torch."""
