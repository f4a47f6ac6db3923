"""What is known rather than measured: devices, and the strategies that recommend the next step."""
