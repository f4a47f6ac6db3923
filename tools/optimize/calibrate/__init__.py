"""Calibration of activations: what is gathered of them while samples stream by, and the ranges chosen from that."""
