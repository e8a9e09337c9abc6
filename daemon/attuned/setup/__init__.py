"""What `attune setup` asks for, and how it gets into the files of the configuration."""
