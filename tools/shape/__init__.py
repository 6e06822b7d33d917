"""The rules of tools/layers.py, each a function from a Tree to its problems."""
