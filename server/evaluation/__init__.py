"""Puts agents to the test: scenarios as data, played by a real client against a real server on a world of their own."""
