"""The contracts between node, gateway, daemon and command line, generated from the .proto files beside this one."""
