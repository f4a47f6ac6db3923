"""Speaks MCP and the command line; the only folder that imports `mcp`, and one that never imports a model runtime."""
