"""Drift: statistics of whole days, their comparison with earlier days, and the events that follow."""
