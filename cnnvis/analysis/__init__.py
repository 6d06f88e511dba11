"""What the weights and a photo show: filters, feature maps, wiring, and why a value is what it is."""
