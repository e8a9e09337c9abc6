"""Carries sealed frames between nodes and the daemon; reads none of them and keeps nothing on disk."""
