"""Branches: stores that begin with another one's log, to rehearse what comes next."""
