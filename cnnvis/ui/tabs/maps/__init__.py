"""The tab Feature maps."""
