"""What sizes are counted in."""

from __future__ import annotations

GIB = float(1 << 30)
"""Bytes in a GiB."""
