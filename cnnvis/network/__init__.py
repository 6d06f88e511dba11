"""VGG16: its architecture, its modules, its weights, and the precision it runs in."""
