"""Model files: one module of one shape for each format that Edgewright reads and writes. Knows no runtime."""
