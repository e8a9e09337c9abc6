"""Nodes: their sessions and conversations, and the gRPC service that gateways attach to."""
