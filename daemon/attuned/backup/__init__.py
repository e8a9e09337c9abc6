"""Sealed copies of a whole site, made beside a running daemon, and how they are put back."""
