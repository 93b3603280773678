"""Pools of credits: members, caps and what is drawn."""
