"""Integrations: one module for each framework, which alone imports it.

A `ProcessStore` is the store of an application; each module opens and closes it where
the processes of its framework begin and end.
"""
