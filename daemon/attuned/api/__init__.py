"""The admin gRPC service, for the command line."""
