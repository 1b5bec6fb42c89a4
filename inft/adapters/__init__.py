"""Folders of LoRA adapters: what they hold, whose they are, and how they come onto their base."""
