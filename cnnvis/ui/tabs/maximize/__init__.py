"""The tab Activation maximization."""
