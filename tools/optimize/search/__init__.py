"""The search for the fastest candidate whose accuracy passes: what stays in float32, what becomes 8 bits and how."""
