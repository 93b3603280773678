"""The command that explains figures."""
