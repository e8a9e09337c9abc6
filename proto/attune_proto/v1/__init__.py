"""Version 1 of the contracts: node messages (node), the gateways' stream (link), the command line's calls (admin)."""
