"""Laws of credits, holds, pools, schedules, limits and usage, all at once."""
