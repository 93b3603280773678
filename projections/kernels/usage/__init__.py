"""Kernels of usage: events to totals and lasts by meter, customer and hour."""
