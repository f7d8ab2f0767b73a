"""The experiments: one package for each question; the modules beside them are shared."""
