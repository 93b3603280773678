"""Kernels of credits: grants, burn-down, balances and their history."""
