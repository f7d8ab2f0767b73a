"""Copies of models with quantized layers in place of their own."""
