"""What executes models: one folder a runtime, and `grid`, which says what is installed without importing any of it."""
