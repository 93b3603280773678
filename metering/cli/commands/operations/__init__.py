"""Commands of who runs a store: serving, the worker, its keys, upkeep and repair."""
