"""Files that go into every package as they are. They run without Edgewright: Python >= 3.10, NumPy, a runtime."""
