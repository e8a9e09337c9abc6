"""The Attune daemon and its command line."""
