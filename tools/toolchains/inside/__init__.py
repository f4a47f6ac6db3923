"""What runs in the interpreter of a toolchain: converters. Standard library, NumPy and its own frameworks only.

It travels in one file with the probe, whose sessions load the models: `python -I FILE REQUEST.json PARENT_PID`.
"""
