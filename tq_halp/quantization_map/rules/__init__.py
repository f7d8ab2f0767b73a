"""What a quantization map says: its rules, read, checked, matched with layers, scheduled."""
