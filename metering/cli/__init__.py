"""The command line: the facade, for people at a terminal and for programs in a pipe."""
