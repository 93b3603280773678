"""Pools of credits: what a group of customers shares."""
