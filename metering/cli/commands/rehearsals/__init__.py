"""Commands that rehearse: a branch of a store, and how two stores differ."""
