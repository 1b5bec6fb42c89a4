"""Logs of any size: opened at once, followed while they grow, filtered and searched in slices. Knows no screen."""
