"""Pictures and photos: opened, converted, drawn and encoded."""
