"""Settling many invoices at once: a billing run, Arrow in and Arrow out."""
