"""Own what is left when somebody edits what a store keeps: rows and files."""
