"""The tab Quiz."""
