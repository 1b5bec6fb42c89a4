"""Whether this machine can run a profile, before anything is started; no torch."""
