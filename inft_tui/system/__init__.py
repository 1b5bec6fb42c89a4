"""What the System screen knows of this machine; nothing here knows a screen."""
