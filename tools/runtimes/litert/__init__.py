"""LiteRT's own tools: the TFLite file format and the quantiser. Workers only."""
