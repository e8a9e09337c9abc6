"""The daemon of Attune: what it knows of rooms, and how it learns."""
