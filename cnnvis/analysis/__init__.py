"""What weights and photos say: filters, feature maps, wiring, and why a value is what it is."""
