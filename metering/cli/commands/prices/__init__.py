"""The commands of products and of prices."""
