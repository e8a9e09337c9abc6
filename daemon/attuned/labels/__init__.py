"""Labels: ground truth, and its way to the nodes."""
