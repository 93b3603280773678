"""Who recomputes daily usage from sealed events: this project and engines that could.

Each module is a process of its own, `python -m bench.peers.NAME SOURCE OUT`: it reads
the segments of a store, adds up values and counts events by event name, customer and
UTC day, exactly, and writes them as Arrow, sorted in that order.
"""
