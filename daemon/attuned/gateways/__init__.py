"""Gateways on other machines: the daemon's authority, invitations, certificates, and where they are asked for."""
