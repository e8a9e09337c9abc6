"""SQLite: numbered migrations, one module per table family, two files."""
