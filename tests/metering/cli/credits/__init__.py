"""The commands of credits."""
