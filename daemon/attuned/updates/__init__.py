"""Signed updates: envelopes, who signs them, how they travel to a node, and through a building."""
