"""Data as a caller names it: opened safely, decoded once, checked, and kept as columns that every part reads."""
