"""What this machine is and what it does at the moment, without torch."""
