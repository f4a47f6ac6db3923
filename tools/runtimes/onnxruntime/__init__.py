"""ONNX Runtime's own tools: quantisation and offline graph optimisation. Imports the runtime; workers only."""
