"""Signed updates: envelopes, who signs them, and how they travel."""
