"""Every private name of Keras that the library uses, behind a function for each.

Each function says what the name is for and why no public name serves. All hold from Keras 3.5 on,
the oldest version that tq_halp supports, unless the function says otherwise. A new Keras release
that breaks one of them is to be mended here alone: ``tests/test_keras_internals.py`` finds private
names that are used elsewhere.
"""
