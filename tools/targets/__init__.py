"""Places where the probe runs, and what it is asked and answers there."""
