"""Own the rules: each in a module of its own, its cases in order."""
