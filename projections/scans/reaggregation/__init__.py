"""Re-aggregation: every summary computed again from the events alone, in parts.

A partial answers a question for some of the events and can be made anywhere. Combining
partials, in any order, gives the answer.
"""
