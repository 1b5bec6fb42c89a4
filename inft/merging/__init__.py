"""A run's adapters merged into its base: a plain 16-bit model, and how much worse than the adapters it is."""
