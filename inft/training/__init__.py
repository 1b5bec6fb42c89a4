"""The training loop: TRL's trainer with our collators, guards and log."""
