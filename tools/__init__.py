"""The work itself: profiling, optimising, measuring, validating, packaging. Knows nothing of MCP."""
