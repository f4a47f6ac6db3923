"""Views that a chat shows beside an answer, where its client can (MCP Apps)."""
