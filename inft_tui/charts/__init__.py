"""Curves in a terminal: values, scales, drawing; without Textual."""
