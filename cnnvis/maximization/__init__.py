"""Activation maximization: its settings, its canvas and objective, the ascent, and the score."""
