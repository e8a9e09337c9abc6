"""A building simulated from physics, for demos, load tests and the factory release. It is no evidence of accuracy."""
