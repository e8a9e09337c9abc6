"""What wrong states cost, beside each other."""

# A free room that is in use annoys those who are sent there; an occupied room that is free costs a little energy.
DEFAULT_COST_RATIO = 2.0
