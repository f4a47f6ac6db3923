"""Measuring: latency, memory, operators and outputs of a model, and a candidate against its baseline."""
