"""Re-aggregation: every summary made again from the events alone, in parts.

A question says what is asked. A partial answers it for some of the events and can be
made anywhere; combining partials, in any order, gives the answer.
"""
