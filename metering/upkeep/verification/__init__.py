"""Verification: what is stored is what was committed, and the rest follows from it.

A module for each noun that is checked: the chain of commits, the segments that hold
them, and the tables that they lead to. None of them changes anything.
"""
