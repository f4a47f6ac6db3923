"""What makes a model easier to compute in 8 bits without changing what it computes in float32."""
