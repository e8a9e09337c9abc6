"""What nodes and rooms learn from labels, and how good it is."""
