"""Nodes: their sessions and conversations, who stands in which room, and the gRPC service that gateways attach to."""
