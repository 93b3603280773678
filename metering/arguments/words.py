"""Words: the closed sets that several nouns take."""

from typing import Literal

FormulaName = Literal["sum", "count", "last", "min", "max", "avg", "unique_count"]
"""How the values of a window become one number; the first three are Stripe's."""

GroupingWindowName = Literal["day", "hour"]
"""A window of UTC by which a meter or a summary groups events."""

WindowName = Literal["minute", "hour", "day", "week", "month"]
"""A calendar window, of any time zone."""

UsageWindowName = Literal["hour", "day", "week", "month"]
"""A calendar window that holds whole hours, in most time zones."""

RoundingName = Literal["half_even"]
"""How a value of more fraction digits than are recorded is rounded."""
