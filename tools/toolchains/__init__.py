"""Frameworks that cannot share an environment with Edgewright: one environment each, made by a person's command."""
