"""Own the doors of usage: one class a door, one table of what each rule means at each.

A *case* says what a sender has (events, options, columns, bytes on the wire) and what is
right. A *rule* is a list of cases, in a module of its own in `rules/`. The table of
`test_doors.py` sends every case of every rule through every door, so a cell is a case at a
door.

Adding the cells of a rule:

* Put a module into `rules/` with a `RULE = Rule(name, cases)`. It is found by itself.
* Give a `Case` its events in neutral form, and the right answer for each of them: `Right`
  (what is stored), `Refused` (code and words; `v2` where the dialect has another code) or
  `DUPLICATE`. For the whole: `left_out`, `rounded`, or `source=Refused(…)` where nothing of
  it is read.
* Where a door must answer something else, say what, in `but={"v1": (Right(…),)}`. Names of
  doors stand in `doors.py`; the groups beside them hold several.
* Where a door cannot have the case, say why, in `empty={"create": "…"}`. What a door cannot
  write at all it says by itself (`Door.cannot`): a form has no null, a column one type.
* What the same sender sends once more, after something happened, stands in `again`, with
  what happened in `meanwhile`.

Cells are kept apart, so that identifiers may be plain: those that begin with ``sender/`` get
the number of their cell, and a cell with others has a meter of its own. The clock of the served
store stands at `NOW`; of the command line, which reads the machine's, nothing is asked
that depends on it, and so it backfills unless a case says otherwise.
"""
