"""Corrections of events: cancelled or replaced at any age, previewed, reverted."""
