"""Bluetooth Low Energy: a radio of this machine as one more transport (docs/protocol.md, "Bluetooth")."""
