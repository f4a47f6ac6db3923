"""NVIDIA's parser and builder, as far as they work on a machine without a GPU."""
