"""Tests of usage records: what they take, refuse, come to and cost."""
