"""A model copied with quantized layers in place of its own."""
