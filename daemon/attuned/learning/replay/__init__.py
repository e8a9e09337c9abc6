"""Recorded sensor data through the node's own code, scored against recorded truth."""
